//! The arguments of `nsl app`.

use super::OwnTerms;
use clap::Subcommand;
use nsl_domain::app::MAX_SHARDS;
use nsl_domain::ids::Scope;

/// A function instance believes for a minute what it read of an application; what it is about by then takes seconds.
const SETTLE_SECONDS: u64 = 75;

#[derive(Debug, Subcommand)]
pub(crate) enum AppCommand {
    /// Register an application with its first key, which is shown once.
    Create(AppCreate),
    /// List the applications of an owner.
    List(AppList),
    /// Show an application: its state, its keys by their ids, who is connected.
    Show(AppNamed),
    /// Change an application's name, its flags, shards, limits or retention, or take all its tokens back.
    Update(AppUpdate),
    /// Give an application a second key of a scope, which is shown once; later take the older one back.
    RotateKey(AppRotateKey),
    /// Switch an application off: it is refused, and its connections are closed.
    Deactivate(AppNamed),
    /// Switch an application on again.
    Activate(AppNamed),
    /// Delete an application with its keys, its connections and its reports.
    Delete(AppDelete),
}

#[derive(Debug, clap::Args)]
pub(crate) struct AppNamed {
    /// The application's id.
    #[arg(value_name = "APP")]
    pub(crate) app: String,

    /// Table of applications; a ready file and a stack know it by themselves.
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

    /// Name for people.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// Let the library's own connections in, which carry no key, or keep them out.
    #[arg(long, value_name = "SWITCH")]
    pub(crate) legacy: Option<Switch>,

    /// Partitions that take its reports, 1,000 a second each; may grow, at most to 64.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_SHARDS)))]
    pub(crate) shards: Option<u16>,

    /// Refuse every token that was issued before this moment.
    #[arg(long)]
    pub(crate) revoke_tokens: bool,

    #[command(flatten)]
    pub(crate) terms: OwnTerms,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AppRotateKey {
    #[command(flatten)]
    pub(crate) named: AppNamed,

    /// What the new key may do, or the older one that is taken back; by default what the newest one may.
    #[arg(long, value_name = "SCOPE", conflicts_with = "drop")]
    pub(crate) scope: Option<KeyScope>,

    /// Take the older of two keys of a scope back: the second half of a rotation. No key is made.
    #[arg(long, conflicts_with = "drop")]
    pub(crate) drop_old: bool,

    /// Take the key with this id back. No key is made.
    #[arg(long, value_name = "KEY_ID")]
    pub(crate) drop: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AppDelete {
    #[command(flatten)]
    pub(crate) named: AppNamed,

    /// Do it without asking.
    #[arg(long)]
    pub(crate) yes: bool,

    /// Seconds to wait for functions that still believe in the application, before what they stored is erased as well.
    #[arg(long, value_name = "SECONDS", default_value_t = SETTLE_SECONDS)]
    pub(crate) settle: u64,
}

#[derive(Debug, Default, clap::Args)]
pub(crate) struct AppCreate {
    /// Name for people; by default the id.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// User that owns it; by default demo-user on the local gateway.
    #[arg(long, value_name = "USER")]
    pub(crate) owner: Option<String>,

    /// Its id; by default a random one.
    #[arg(long, value_name = "ID")]
    pub(crate) app_id: Option<String>,

    /// Let the library's own connections in, which carry no key.
    #[arg(long)]
    pub(crate) legacy: bool,

    /// What its first key may do; by default both.
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Option<KeyScope>,

    /// Make sure that the demo application is there, with the key of --key-file, which is made where it is missing.
    #[arg(long, conflicts_with_all = ["name", "owner", "app_id", "legacy", "scope"])]
    pub(crate) demo: bool,

    #[command(flatten)]
    pub(crate) terms: OwnTerms,

    /// Table of applications; a ready file and a stack know it by themselves.
    #[arg(long, value_name = "NAME")]
    pub(crate) table: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AppList {
    /// User whose applications are listed; by default demo-user on the local gateway.
    #[arg(long, value_name = "USER")]
    pub(crate) owner: Option<String>,

    /// Table of applications; a ready file and a stack know it by themselves.
    #[arg(long, value_name = "NAME")]
    pub(crate) table: Option<String>,
}

/// What a key may do.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum KeyScope {
    /// Send reports.
    Publish,
    /// Watch reports and read history.
    View,
    /// Both.
    Both,
}

impl KeyScope {
    /// The word by which an argument names `scope`.
    pub(crate) fn word(scope: Scope) -> &'static str {
        match scope {
            Scope::Publish => "publish",
            Scope::View => "view",
            Scope::Both => "both",
        }
    }
}

impl From<KeyScope> for Scope {
    fn from(scope: KeyScope) -> Self {
        match scope {
            KeyScope::Publish => Self::Publish,
            KeyScope::View => Self::View,
            KeyScope::Both => Self::Both,
        }
    }
}
