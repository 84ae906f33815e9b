//! The arguments of `nsl app`.

use super::app_settings::AppSettings;
use super::scope::scope;
use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use nsl_domain::app::MAX_SHARDS;
use nsl_domain::ids::Scope;

/// Seconds until no function uses the application any more: its cache entry expires after a minute, and the invocations
/// that are running by then end within seconds.
const SETTLE_SECONDS: u64 = 75;

/// What `--key-file` does, which is an argument of every command.
const CREATE_HELP: &str = "\
With --key-file FILE, the application accepts the key in that file: the key alone, or a configuration file of the \
library (nehonix-config….json), which then names the id, the owner and the display name, too, so that no configuration \
has to change. If there is no such file, it is created with a new key.";

#[derive(Debug, Subcommand)]
pub(crate) enum AppCommand {
    /// Create an application with its first key: a new one, which is shown only once, or the one in --key-file.
    #[command(after_help = CREATE_HELP)]
    Create(AppCreate),
    /// Print the configuration file of the NehonixSmartLogger library, with a key and the address of the service.
    Config(AppConfig),
    /// List the applications of a user.
    List(AppList),
    /// Show an application: its settings, the ids of its keys, its connections.
    Show(AppNamed),
    /// Change an application's name, flags, shards, limits or retention, or revoke its tokens.
    Update(AppUpdate),
    /// Add a second key, which is shown only once, and later remove the older one.
    RotateKey(AppRotateKey),
    /// Deactivate an application: requests are rejected, and its connections are closed.
    Deactivate(AppNamed),
    /// Activate a deactivated application.
    Activate(AppNamed),
    /// Delete an application with its keys, connections and reports.
    Delete(AppDelete),
}

#[derive(Debug, clap::Args)]
pub(crate) struct AppNamed {
    /// Id of the application.
    #[arg(value_name = "APP")]
    pub(crate) app: String,

    /// Name of the applications table [default: that of the ready file or the stack].
    #[arg(long, value_name = "NAME")]
    pub(crate) table: Option<String>,
}

#[derive(Debug, clap::Args)]
#[group(id = "changes", required = true, multiple = true, args = [
    "name", "legacy", "shards", "revoke_tokens", "max_reports", "max_bytes", "max_connections", "max_subscriptions",
    "retention_raw", "retention_1m", "retention_10m", "retention_1h", "retention_1d",
])]
pub(crate) struct AppUpdate {
    #[command(flatten)]
    pub(crate) named: AppNamed,

    /// Display name.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// Accept or reject connections of the NehonixSmartLogger library, which send no key.
    #[arg(long, value_name = "SWITCH", value_parser = switch())]
    pub(crate) legacy: Option<bool>,

    /// Write shards, for 1,000 reports a second each; can be increased, up to 64.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_SHARDS)))]
    pub(crate) shards: Option<u16>,

    /// Reject every token that was issued until now.
    #[arg(long)]
    pub(crate) revoke_tokens: bool,

    #[command(flatten)]
    pub(crate) settings: AppSettings,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AppConfig {
    #[command(flatten)]
    pub(crate) named: AppNamed,

    /// Add a new key, which may publish, instead of using the one in --key-file or NSL_API_KEY.
    #[arg(long)]
    pub(crate) new_key: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AppRotateKey {
    #[command(flatten)]
    pub(crate) named: AppNamed,

    /// Scope of the new or the removed key: publish, view, manage, or several separated by commas; both is publish and
    /// view [default: that of the newest key].
    #[arg(long, value_name = "SCOPE", value_parser = scope, conflicts_with = "drop")]
    pub(crate) scope: Vec<Scope>,

    /// Add the key that is in --key-file, instead of a new one.
    #[arg(long, conflicts_with_all = ["drop_old", "drop"])]
    pub(crate) import: bool,

    /// Remove the older of two keys of a scope, the second half of a rotation; no key is added.
    #[arg(long, conflicts_with = "drop")]
    pub(crate) drop_old: bool,

    /// Remove the key with this id; no key is added.
    #[arg(long, value_name = "KEY_ID")]
    pub(crate) drop: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AppDelete {
    #[command(flatten)]
    pub(crate) named: AppNamed,

    /// Do not ask for confirmation.
    #[arg(long)]
    pub(crate) yes: bool,

    /// Seconds to wait for functions that still have the application in their cache, before the rest is erased.
    #[arg(long, value_name = "SECONDS", default_value_t = SETTLE_SECONDS)]
    pub(crate) settle: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AppCreate {
    /// Display name [default: that of the configuration in --key-file, or the id].
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// User who owns it [default: that of the configuration in --key-file; on the local gateway: demo-user].
    #[arg(long, value_name = "USER")]
    pub(crate) owner: Option<String>,

    /// Id of the application [default: that of the configuration in --key-file, or a random one].
    #[arg(long, value_name = "ID")]
    pub(crate) app_id: Option<String>,

    /// Accept connections of the NehonixSmartLogger library, which send no key.
    #[arg(long)]
    pub(crate) legacy: bool,

    /// Scope of its first key: publish, view, manage, or several separated by commas [default: both, which is publish
    /// and view].
    #[arg(long, value_name = "SCOPE", value_parser = scope)]
    pub(crate) scope: Vec<Scope>,

    /// Create the demo application, if it does not exist, with the key in --key-file, which is created if it does not exist.
    #[arg(long, conflicts_with_all = ["name", "owner", "app_id", "legacy", "scope"])]
    pub(crate) demo: bool,

    /// Give the demo application a second key that may only view: the one in this file, which is created if it does not exist.
    #[arg(long, value_name = "FILE", requires = "demo")]
    pub(crate) view_key_file: Option<std::path::PathBuf>,

    #[command(flatten)]
    pub(crate) settings: AppSettings,

    /// Name of the applications table [default: that of the ready file or the stack].
    #[arg(long, value_name = "NAME")]
    pub(crate) table: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AppList {
    /// User whose applications are listed [default on the local gateway: demo-user].
    #[arg(long, value_name = "USER")]
    pub(crate) owner: Option<String>,

    /// Name of the applications table [default: that of the ready file or the stack].
    #[arg(long, value_name = "NAME")]
    pub(crate) table: Option<String>,
}

/// Parses the value of a flag that is on or off.
fn switch() -> impl TypedValueParser<Value = bool> {
    PossibleValuesParser::new(["on", "off"]).map(|text| text == "on")
}
