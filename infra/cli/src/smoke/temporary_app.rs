//! The app of one smoke test. It is found by its owner, so that a later run can remove it if this one is killed.

use super::probe::Probe;
use super::report::{Failure, Passed};
use crate::app_edit::edit;
use crate::app_removal::remove;
use crate::disconnect::{self, Disconnected};
use crate::store::{Live, Store};
use anyhow::Context as _;
use nsl_auth::api_key;
use nsl_aws::apps::Created;
use nsl_client::clock;
use nsl_client::console::Console;
use nsl_domain::app::{App, DEFAULT_SHARDS, KeyRecord, OwnLimits, Status};
use nsl_domain::ids::{AppId, Scope, UserId};
use nsl_domain::rollup::AppRetention;
use nsl_domain::time::{MINUTE_MS, TimestampMs};
use uuid::Uuid;

/// Owner of the temporary apps.
const OWNER: &str = "nsl-smoke";

/// Start of their ids.
const PREFIX: &str = "smoke-";

/// A run ends sooner, so an app of this age is left from one that was killed.
const LEFTOVER_AGE_MS: i64 = 30 * MINUTE_MS;

/// The app and the text of its keys.
pub(crate) struct TemporaryApp {
    pub(crate) app: App,
    /// May publish and view.
    pub(crate) key: String,
    /// May view.
    pub(crate) view_key: String,
    /// May view, until it is revoked.
    pub(crate) revocable_key: String,
}

impl TemporaryApp {
    /// An app that does not exist yet, which the library may use too.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let [key, view_key, revocable_key] =
            [api_key::generate()?, api_key::generate()?, api_key::generate()?];
        let keys = vec![
            KeyRecord::of(&key, Scope::BOTH),
            KeyRecord::of(&view_key, Scope::VIEW),
            KeyRecord::of(&revocable_key, Scope::VIEW),
        ];
        let app = App {
            id: AppId::new(format!("{PREFIX}{}", Uuid::new_v4()))?,
            owner: UserId::new(OWNER)?,
            name: "Smoke test, safe to delete".to_owned(),
            status: Status::Active,
            keys,
            legacy: true,
            shards: DEFAULT_SHARDS,
            tokens_not_before: None,
            created_at: Some(clock::now()),
            id_free_since: None,
            limits: OwnLimits::default(),
            retention: AppRetention::default(),
            limited_until: None,
        };
        Ok(Self { app, key, view_key, revocable_key })
    }

    pub(crate) fn id(&self) -> &str {
        self.app.id.as_str()
    }

    /// Removes what interrupted runs left, and creates the app.
    pub(crate) async fn create(&self, probe: &Probe<'_>) -> Passed<()> {
        const EXPECTED: &str = "the Apps table to be readable and writable";
        let leftovers = remove_leftovers(probe).await.map_err(Failure::of(EXPECTED))?;
        match probe.store.apps.create(&self.app).await.map_err(Failure::of(EXPECTED))? {
            Created::AlreadyExists => Err(Failure::new("a new application", format!("{} exists", self.id()))),
            Created::Done if leftovers == 0 => Ok(((), format!("created {}", self.id()))),
            Created::Done => {
                let seen = format!("created {}, removed {leftovers} of interrupted runs", self.id());
                Ok(((), seen))
            }
        }
    }

    /// Removes the revocable key.
    pub(crate) async fn revoke(&self, store: &Store) -> anyhow::Result<()> {
        let revoked = KeyRecord::of(&self.revocable_key, Scope::VIEW);
        let drop_key = |app: &mut App| {
            app.keys.retain(|key| key.id != revoked.id);
            Ok(())
        };
        edit(&store.apps, self.id(), drop_key).await.map(drop)
    }

    /// Switches the app off and closes its connections.
    pub(crate) async fn switch_off(&self, probe: &Probe<'_>) -> anyhow::Result<Disconnected> {
        switch_off(&self.app.id, probe.store, probe.live, probe.console)
            .await
            .map(|(_, disconnected)| disconnected)
    }

    /// Deletes the app with everything in it, if it was created.
    pub(crate) async fn delete(&self, probe: &Probe<'_>, settle: u64) -> anyhow::Result<Option<u64>> {
        if probe.store.apps.find(&self.app.id).await?.is_none() {
            return Ok(None);
        }
        delete(&self.app.id, probe, settle).await.map(Some)
    }
}

async fn switch_off(
    id: &AppId,
    store: &Store,
    live: &Live,
    console: &Console,
) -> anyhow::Result<(App, Disconnected)> {
    let app = edit(&store.apps, id.as_str(), |app| {
        app.status = Status::Inactive;
        Ok(())
    })
    .await?;
    let disconnected = disconnect::close_all(live, id, console).await?;
    Ok((app, disconnected))
}

async fn delete(id: &AppId, probe: &Probe<'_>, settle: u64) -> anyhow::Result<u64> {
    let (app, _) = switch_off(id, probe.store, probe.live, probe.console).await?;
    remove(&probe.store.apps, probe.live, &app, settle, probe.console).await
}

/// Deletes the temporary apps of runs that ended without their clean-up, and returns their number.
async fn remove_leftovers(probe: &Probe<'_>) -> anyhow::Result<usize> {
    let owner = UserId::new(OWNER)?;
    let mut removed = 0;
    for summary in probe.store.apps.of_owner(&owner).await? {
        let app = probe.store.apps.find(&summary.id).await?;
        if app.is_some_and(|app| is_leftover(&app, clock::now())) {
            let failed = || format!("cannot remove {}, left by an interrupted run", summary.id);
            delete(&summary.id, probe, 0).await.with_context(failed)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Whether `app` is of a run that cannot be running any more.
fn is_leftover(app: &App, now: TimestampMs) -> bool {
    let is_temporary = app.owner.as_str() == OWNER && app.id.as_str().starts_with(PREFIX);
    is_temporary && app.created_at.is_some_and(|created| now.ms_since(created) >= LEFTOVER_AGE_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_temporary_apps_are_leftovers() {
        let now = TimestampMs::EXAMPLE;
        let app = TemporaryApp::new().unwrap().app;
        let aged = |age_ms: i64| App { created_at: Some(now.plus_ms(-age_ms)), ..app.clone() };
        assert!(is_leftover(&aged(LEFTOVER_AGE_MS), now));
        assert!(!is_leftover(&aged(LEFTOVER_AGE_MS - 1), now), "may be running");
        let other_id = App { id: AppId::new("shop").unwrap(), ..aged(LEFTOVER_AGE_MS) };
        let other_owner = App { owner: UserId::new("ann").unwrap(), ..aged(LEFTOVER_AGE_MS) };
        assert!(!is_leftover(&other_id, now) && !is_leftover(&other_owner, now));
    }
}
