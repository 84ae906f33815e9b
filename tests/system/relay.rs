//! The relay of docs/MIGRATION.md, for a library whose address is compiled in: the nginx block as it is printed, in front
//! of a gateway behind TLS. Only the ports, the name server and the authority of the certificate are the test's.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::UdpSocket;
use tokio_tungstenite::tungstenite::Error;

use crate::system::harness::{
    App, Client, DASHBOARD, DEADLINE, Gateway, iso, legacy_frame, now_ms, scratch_folder, skip,
};

/// The host of the printed block.
const HOST: &str = "abc123.execute-api.eu-west-1.amazonaws.com";
/// Interval at which a condition is checked.
const POLL: Duration = Duration::from_millis(50);
/// Serves the gateway as the stage `live`, and nothing but the printed host.
const GENUINE: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// Has a certificate that no authority signed.
const IMPOSTOR: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A name server whose every name has one address, for a second.
struct NameServer {
    port: u16,
    address: Arc<AtomicU32>,
}

impl NameServer {
    async fn start(address: Ipv4Addr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let port = socket.local_addr().expect("a bound address").port();
        let address = Arc::new(AtomicU32::new(address.into()));
        let current = Arc::clone(&address);
        tokio::spawn(async move {
            let mut query = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut query).await {
                let address = Ipv4Addr::from(current.load(Ordering::Relaxed));
                let _ = socket.send_to(&answer(&query[..length], address), client).await;
            }
        });
        Self { port, address }
    }

    fn move_to(&self, address: Ipv4Addr) {
        self.address.store(address.into(), Ordering::Relaxed);
    }
}

/// The answer to a query of one question: `address` to one for an IPv4 address, no record to any other.
fn answer(query: &[u8], address: Ipv4Addr) -> Vec<u8> {
    const HEADER: usize = 12;
    let name = query[HEADER..].iter().position(|&length| length == 0).expect("a name has an end");
    let question = &query[HEADER..HEADER + name + 5];
    let is_ipv4 = question[name + 1..name + 3] == [0, 1];
    let mut answer = query[..2].to_vec();
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_ipv4), 0, 0, 0, 0]);
    answer.extend(question);
    if is_ipv4 {
        // The name of the question, an address, of the internet, for a second, four bytes.
        answer.extend([0xc0, HEADER as u8, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        answer.extend(address.octets());
    }
    answer
}

/// A running nginx, which ends with its test.
struct Relay {
    nginx: Child,
    folder: PathBuf,
    port: u16,
}

impl Relay {
    /// Starts nginx, or skips the test if a program is missing.
    fn start(gateway: &Gateway, names: &NameServer) -> Option<Self> {
        for (tool, flag) in [("nginx", "-v"), ("openssl", "version")] {
            if Command::new(tool).arg(flag).stderr(Stdio::null()).stdout(Stdio::null()).status().is_err() {
                skip(tool);
                return None;
            }
        }
        let folder = scratch_folder("relay");
        let [port, front] = [(); 2].map(|()| free_port());
        for name in ["genuine", "impostor"] {
            make_certificate(&folder, name);
        }
        let config = folder.join("nginx.conf");
        fs::write(&config, configuration(gateway, names, &folder, port, front)).expect("a configuration");
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&folder).arg("-c").arg(&config).arg("-e").arg(folder.join("error.log"));
        let nginx = command.stdin(Stdio::null()).spawn().expect("nginx starts");
        Some(Self { nginx, folder, port })
    }

    /// The result of a handshake of the relay at `host`, repeated until it fits.
    async fn handshake(&self, host: &str, fits: impl Fn(Option<u16>) -> bool) -> Option<Client> {
        let until = Instant::now() + DEADLINE;
        let address = format!("ws://{host}:{}/", self.port);
        loop {
            let opened = Client::open_at(&address, &[]).await;
            let status = match &opened {
                Ok(_) => Some(101),
                Err(cause) => match &**cause {
                    Error::Http(response) => Some(response.status().as_u16()),
                    _ => None,
                },
            };
            if fits(status) {
                return opened.ok();
            }
            assert!(Instant::now() < until, "{address} answers {status:?}; {}", self.log());
            tokio::time::sleep(POLL).await;
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("error.log")).unwrap_or_default()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.nginx.kill();
        let _ = self.nginx.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound address").port()
}

fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

fn make_certificate(folder: &Path, name: &str) {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
    command.args(["-days", "1", "-subj", "/CN=relay", "-addext", &format!("subjectAltName=DNS:{HOST}")]);
    command.arg("-keyout").arg(folder.join(format!("{name}.key")));
    command.arg("-out").arg(folder.join(format!("{name}.pem")));
    let made = command.stderr(Stdio::null()).status().expect("openssl starts");
    assert!(made.success(), "openssl made no certificate");
}

/// The nginx block of the document.
fn printed_block() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/MIGRATION.md");
    let text = fs::read_to_string(path).expect("the document can be read");
    let (_, block) = text.split_once("```nginx\n").expect("the document has an nginx block");
    block.split_once("```").expect("the block has an end").0.to_owned()
}

/// `text` with each left side replaced by its right side; each must be there.
fn replaced(text: String, changes: &[(&str, String)]) -> String {
    changes.iter().fold(text, |text, (old, new)| {
        assert!(text.contains(old), "the printed block has no {old}");
        text.replace(old, new)
    })
}

fn configuration(gateway: &Gateway, names: &NameServer, folder: &Path, port: u16, front: u16) -> String {
    let folder = folder.display();
    let block = replaced(
        printed_block(),
        &[
            (":8087;", format!(":{port};")),
            ("resolver 127.0.0.53;", format!("resolver 127.0.0.1:{};", names.port)),
            (&format!("set $api {HOST};"), format!("set $api {HOST}:{front};")),
            ("/etc/ssl/certs/ca-certificates.crt", format!("{folder}/genuine.pem")),
        ],
    );
    let block = if has_ipv6() { block } else { block.replace("listen [::1]", "# listen [::1]") };
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {folder}/{kind};\n"))
        .concat();
    let target = gateway.ready().ws.replace("ws://", "http://");
    let service = |address: Ipv4Addr, name: &str| {
        format!(
            "server {{ listen {address}:{front} ssl default_server; ssl_reject_handshake on; }}
             server {{
               listen {address}:{front} ssl; server_name {HOST};
               ssl_certificate {folder}/{name}.pem; ssl_certificate_key {folder}/{name}.key;
               if ($host != {HOST}) {{ return 421; }}
               location = /live {{
                 proxy_pass {target}/$is_args$args; proxy_http_version 1.1;
                 proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
               }}
             }}\n"
        )
    };
    format!(
        "daemon off; master_process off; pid {folder}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}{block}{}{}}}\n",
        service(GENUINE, "genuine"),
        service(IMPOSTOR, "impostor"),
    )
}

#[tokio::test]
async fn printed_relay_serves_a_library_and_a_page_on_both_loopback_addresses() {
    let gateway = Gateway::shared();
    let names = NameServer::start(GENUINE).await;
    let Some(relay) = Relay::start(gateway, &names) else { return };
    let app = App::create_legacy(gateway).await;
    let mut hosts = vec![("127.0.0.1", 11.5)];
    if has_ipv6() {
        hosts.push(("[::1]", 12.5));
    } else {
        skip("ipv6");
    }
    for (host, usage) in hosts {
        relay.handshake(host, |status| status == Some(101)).await;
        let address = format!("ws://{host}:{}/", relay.port);
        let mut page =
            Client::open_at(&address, &[("origin", DASHBOARD)]).await.expect("a page's connection");
        page.send(&legacy_frame("auth", &app)).await;
        page.next("auth_success").await;
        let mut library = Client::open_at(&address, &[]).await.expect("a library's connection");
        library.send(&legacy_frame("auth", &app)).await;
        library.next("auth_success").await;
        let mut frame = legacy_frame("send_metrics", &app);
        frame["data"]["metrics"] = json!({"cpu": {"usage": usage}});
        frame["data"]["timestamp"] = json!(iso(now_ms()));
        library.send(&frame).await;
        page.next_where("the report", |frame| frame["payload"]["cpu"]["usage"] == usage).await;
        // The query of a modern publisher arrives, too.
        let address = format!("{address}?apiKey={}", app.api_key);
        let mut publisher = Client::open_at(&address, &[]).await.expect("a publisher's connection");
        assert_eq!(publisher.publish(&app, 1).await["accepted"], 1);
    }
}

#[tokio::test]
async fn printed_relay_follows_a_changed_address_and_checks_certificates() {
    let gateway = Gateway::shared();
    let names = NameServer::start(IMPOSTOR).await;
    let Some(relay) = Relay::start(gateway, &names) else { return };
    relay.handshake("127.0.0.1", |status| status == Some(502)).await;
    assert!(relay.log().contains("certificate verify error"), "{}", relay.log());
    names.move_to(GENUINE);
    relay.handshake("127.0.0.1", |status| status == Some(101)).await;
}
