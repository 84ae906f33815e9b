//! `nsl app update`: an application's name, its `legacy` flag, its shards, limits and retention, the age of its tokens.

use super::app_change::change;
use super::app_show;
use crate::args::{AppUpdate, Place, Switch};
use crate::clock;
use crate::console::Console;
use crate::settings::Settings;
use crate::store;
use anyhow::ensure;
use nsl_domain::app::App;
use nsl_domain::time::{SECOND_MS, TimestampMs};

/// Changes what the arguments name and shows what the application is after.
pub(crate) async fn run(
    args: AppUpdate,
    place: &Place,
    settings: &Settings,
    console: &Console,
) -> anyhow::Result<()> {
    let store = store::open(place, args.named.table.as_deref(), settings).await?;
    let now = clock::now_ms();
    let app = change(&store.apps, &args.named.app, |app| edit(app, &args, now)).await?;
    let retention = store.retention.unwrap_or_default();
    if console.is_json() {
        console.document(&app_show::document(&app, retention))?;
    } else {
        console.line(&app_show::card(&app, retention))?;
        console.note("running functions follow within a minute");
    }
    Ok(())
}

fn edit(app: &mut App, args: &AppUpdate, now: TimestampMs) -> anyhow::Result<()> {
    if let Some(name) = &args.name {
        app.name.clone_from(name);
    }
    if let Some(legacy) = args.legacy {
        app.legacy = legacy == Switch::On;
    }
    if let Some(shards) = args.shards {
        // Reports of a shard that is no longer asked would be lost to history.
        ensure!(shards >= app.shards, "{} has {} shards, and they can only grow", app.id, app.shards);
        app.shards = shards;
    }
    args.terms.apply(app)?;
    if args.revoke_tokens {
        app.tokens_not_before = Some(past_second(now));
    }
    Ok(())
}

/// The end of the second of `now`: tokens tell the second of their issue, and one of this second is taken back too.
fn past_second(now: TimestampMs) -> TimestampMs {
    now.aligned_to(SECOND_MS).plus_ms(SECOND_MS)
}
