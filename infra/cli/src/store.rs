//! The way to the tables: the local gateway's DynamoDB endpoint, or AWS by the usual environment and profile.

use crate::args::Place;
use crate::settings::Settings;
use crate::target::read_ready_file;
use anyhow::{Context as _, bail};
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use nsl_aws::apps::Apps;
use nsl_aws::boot::Clients;

/// The local gateway's own key pair. It is no secret, but DynamoDB Local keeps apart what different keys store.
const LOCAL_ACCESS_KEY: (&str, &str) = ("LOCALGATEWAY", "localgatewaysecret");

/// Region of a local gateway that names none.
const LOCAL_REGION: &str = "us-east-1";

/// The template's name of the table of applications.
const APPS_TABLE: &str = "AppsTable";

/// The table of applications. `table` is its name, which a ready file knows by itself.
pub(crate) async fn apps(place: &Place, table: Option<&str>, settings: &Settings) -> anyhow::Result<Apps> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place of this binary that builds the configuration"
    )]
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(region) = &place.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let mut table = table.map(str::to_owned);
    if let Some(ready) = read_ready_file(place, settings)? {
        let endpoint = ready.dynamodb.context("the ready file names no DynamoDB endpoint")?;
        let (id, secret) = LOCAL_ACCESS_KEY;
        let region = ready.region.unwrap_or_else(|| LOCAL_REGION.to_owned());
        loader = loader
            .endpoint_url(endpoint)
            .region(Region::new(region))
            .credentials_provider(Credentials::new(id, secret, None, None, "local gateway"));
        table = table.or_else(|| ready.outputs.get(APPS_TABLE).cloned());
    } else if table.is_none() {
        bail!(
            "which service? say --local for the gateway on this machine, or give --table NAME for one on AWS"
        );
    }
    let table = table.with_context(|| format!("the ready file names no {APPS_TABLE} among its outputs"))?;
    Ok(Clients::new(&loader.load().await).apps(&table))
}
