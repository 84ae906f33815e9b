//! An app's own settings: how long its rollups are kept, and how many reports it may send.
//!
//! Settings are cached for a minute. If they cannot be read, the app's records are retried.

use std::collections::BTreeMap;
use std::sync::Arc;

use nsl_aws::apps::{AppCache, Apps, Limited};
use nsl_aws::cache::Cache;
use nsl_aws::compute::RollupComputer;
use nsl_aws::fault::{Fault, Kind};
use nsl_aws::stream::StoredReport;
use nsl_domain::app::{App, Sent};
use nsl_domain::ids::AppId;
use nsl_domain::rollup::{AppShard, RollupSpan};
use nsl_domain::time::{MINUTE_MS, TimestampMs};

/// Loads applications, and limits those that send too much.
#[derive(Debug)]
pub(crate) struct AppSettingsLoader {
    apps: Apps,
    cache: AppCache,
    /// Applications that this instance limited within the last minute.
    limited: Cache<AppId, ()>,
}

/// The settings of one app, for one batch.
#[derive(Debug)]
pub(crate) struct AppSettings {
    /// Computes the app's rollups and stores them with its retention.
    pub(crate) computer: RollupComputer,
    /// `None` if its item is corrupt.
    app: Option<Arc<App>>,
}

impl AppSettingsLoader {
    pub(crate) fn new(apps: Apps) -> Self {
        Self { cache: AppCache::new(apps.clone()), apps, limited: Cache::default() }
    }

    /// The settings of `app`, or `None` if it is not registered: its remaining records must not become data of the
    /// next owner of its id. No call, or one read.
    ///
    /// # Errors
    /// A [`Fault`] if the table cannot be read. A corrupt item is replaced by the defaults, so that it does not block
    /// the other apps of the batch.
    pub(crate) async fn load(
        &self,
        app: &AppId,
        computer: &RollupComputer,
        now: TimestampMs,
    ) -> Result<Option<AppSettings>, Fault> {
        let app = match self.cache.cached_if_active(app, now).await {
            Ok(None) => return Ok(None),
            Ok(app) => app,
            Err(fault) if fault.kind == Kind::Corrupt => {
                tracing::error!(%app, reason = fault.chain(), "app item is corrupt, default settings used");
                None
            }
            Err(fault) => return Err(fault),
        };
        let default = computer.rollups().retention();
        let retention = app.as_ref().map_or(default, |app| app.retention.with_defaults(default));
        Ok(Some(AppSettings { computer: computer.with_retention(retention), app }))
    }

    /// Marks an app as limited if it exceeded its rates in one of the computed minutes. One conditional write,
    /// at most once a minute; a fault is only logged, because the next batch tries again.
    pub(crate) async fn limit_if_exceeded(&self, settings: &AppSettings, now: TimestampMs) {
        let Some(app) = &settings.app else { return };
        let until = match settings.limited_until(app).await {
            Ok(until) => until.filter(|until| *until > now && adds_a_minute(app.limited_until, *until)),
            Err(fault) => {
                return tracing::warn!(app = %app.id, reason = fault.chain(), "counting an app's reports failed");
            }
        };
        let Some(until) = until else { return };
        if self.limited.get(&app.id, now).is_some() {
            return;
        }
        match self.apps.limit(&app.id, until).await {
            Ok(limited) => {
                self.limited.insert(app.id.clone(), (), now);
                if limited == Limited::Done {
                    tracing::warn!(app = %app.id, %until, "app exceeded its rates, reports rejected");
                }
            }
            Err(fault) => tracing::warn!(app = %app.id, reason = fault.chain(), "limiting an app failed"),
        }
    }
}

/// Whether `until` is at least a minute later than `current`; less is not worth a write.
fn adds_a_minute(current: Option<TimestampMs>, until: TimestampMs) -> bool {
    current.is_none_or(|current| until.ms_since(current) >= MINUTE_MS)
}

impl AppSettings {
    /// Whether `stored` is of an earlier app of the id.
    pub(crate) fn is_of_earlier_app(&self, stored: &StoredReport) -> bool {
        self.app.as_ref().zip(stored.stored_at).is_some_and(|(app, at)| app.is_younger_than(at))
    }

    /// Until when reports are rejected, considering all minutes that were computed.
    async fn limited_until(&self, app: &App) -> Result<Option<TimestampMs>, Fault> {
        let mut minutes: BTreeMap<RollupSpan, BTreeMap<u16, Sent>> = BTreeMap::new();
        for ((shard, minute), sent) in self.computer.minute_totals() {
            minutes.entry(minute).or_default().insert(shard.shard, sent);
        }
        let mut latest = None;
        for (minute, by_shard) in minutes {
            latest = latest.max(self.limited_for_minute(app, minute, &by_shard).await?);
        }
        Ok(latest)
    }

    /// Until when reports are rejected, considering one minute.
    ///
    /// The batch may lack some write shards. They are read only if the others, scaled up, exceed the rates: if the
    /// whole minute does, at least one shard has its full share, and the batch with that shard sees it.
    async fn limited_for_minute(
        &self,
        app: &App,
        minute: RollupSpan,
        by_shard: &BTreeMap<u16, Sent>,
    ) -> Result<Option<TimestampMs>, Fault> {
        let (rates, end) = (app.rates(), minute.end());
        let mut sent = by_shard.values().fold(Sent::default(), |all, one| Sent {
            reports: all.reports + one.reports,
            bytes: all.bytes + one.bytes,
        });
        let shards_in_batch = by_shard.len().max(1) as u64;
        let scaled = |count: u64| count.saturating_mul(u64::from(app.shards)) / shards_in_batch;
        let estimate = Sent { reports: scaled(sent.reports), bytes: scaled(sent.bytes) };
        if rates.rejected_until(estimate, end).is_none() {
            return Ok(None);
        }
        for shard in (0..app.shards).filter(|shard| !by_shard.contains_key(shard)) {
            let shard = AppShard { app: app.id.clone(), shard };
            let stored = self.computer.rollups().find(&shard, minute).await?;
            // A rollup does not record bytes. They count as none, so that no app is limited by an estimate.
            sent.reports +=
                stored.and_then(|stored| stored.rollup().ok()).map_or(0, |rollup| rollup.reports());
        }
        Ok(rates.rejected_until(sent, end))
    }
}
