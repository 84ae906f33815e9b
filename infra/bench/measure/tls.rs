//! A self-made certificate for the loopback address, and a file of root certificates with which functions trust it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// The TLS configuration of a server and its clients.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) acceptor: TlsAcceptor,
    /// File of root certificates: those of the machine, and the self-made one.
    pub(crate) roots: PathBuf,
}

impl Identity {
    /// A new certificate, with its file of roots in `folder`.
    pub(crate) fn new(folder: &Path, machine_roots: &Path) -> anyhow::Result<Self> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate()?;
        let root = authority.self_signed(&authority_key)?;
        let mut server = CertificateParams::new(Vec::new())?;
        server.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
        let server_key = KeyPair::generate()?;
        let certificate = server.signed_by(&server_key, &Issuer::new(authority, authority_key))?;

        // Without the machine's roots the file is shorter than on AWS, which makes the result too good.
        let others = std::fs::read_to_string(machine_roots).unwrap_or_default();
        let roots = folder.join("roots.pem");
        std::fs::write(&roots, others + "\n" + &root.pem())
            .with_context(|| format!("cannot write {}", roots.display()))?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .context("the certificate does not match its key")?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), roots })
    }
}
