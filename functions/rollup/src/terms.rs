//! What an application sets of its own: how long its rollups are kept, and how much it may send.
//!
//! Owns reading it, at most a minute old, and telling the application that sent more than it may. Refuses to guess:
//! where it cannot be read, its records come again, and where it is not registered, they are nobody's. Ruled by
//! design.md §6 and §8.

use std::collections::BTreeMap;
use std::sync::Arc;

use nsl_aws::apps::{AppCache, Apps, Limited};
use nsl_aws::cache::Cache;
use nsl_aws::compute::RollupComputer;
use nsl_aws::fault::{Fault, Kind};
use nsl_domain::app::{App, Sent};
use nsl_domain::ids::AppId;
use nsl_domain::rollup::{AppShard, RollupSpan};
use nsl_domain::time::{MINUTE_MS, TimestampMs};

/// The applications, and which of them this instance has limited within the last minute.
#[derive(Debug)]
pub(crate) struct Terms {
    apps: Apps,
    known: AppCache,
    limited: Cache<AppId, ()>,
}

/// One application's part in a batch.
#[derive(Debug)]
pub(crate) struct Term {
    /// What computes its spans and knows how long these are kept.
    pub(crate) computer: RollupComputer,
    /// Itself, unless it cannot be understood.
    app: Option<Arc<App>>,
}

impl Terms {
    pub(crate) fn new(apps: Apps) -> Self {
        Self { known: AppCache::new(apps.clone()), apps, limited: Cache::default() }
    }

    /// The part of `app`, whose spans are computed as `computer` does; `None` where it is not registered: whoever
    /// takes its id later must find nothing of what it left in the stream. No call, or one read.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read. An application that is not understood is by default: it must not
    /// hold up the others.
    pub(crate) async fn of(
        &self,
        app: &AppId,
        computer: &RollupComputer,
        now: TimestampMs,
    ) -> Result<Option<Term>, Fault> {
        let app = match self.known.cached_if_active(app, now).await {
            Ok(None) => return Ok(None),
            Ok(app) => app,
            Err(fault) if fault.kind == Kind::Corrupt => {
                tracing::error!(%app, reason = fault.chain(), "an app is taken by the defaults");
                None
            }
            Err(fault) => return Err(fault),
        };
        let default = computer.rollups().retention();
        let retention = app.as_ref().map_or(default, |app| app.retention.with_defaults(default));
        Ok(Some(Term { computer: computer.with_retention(retention), app }))
    }

    /// Refuses the reports of an application that sent more than it may in one of the minutes that were computed. One
    /// conditional write, at most once a minute; a fault is logged, for the next batch tells again.
    pub(crate) async fn hold(&self, term: &Term, now: TimestampMs) {
        let Some(app) = &term.app else { return };
        let until = match term.refused_until(app).await {
            Ok(until) => until.filter(|until| *until > now && adds_a_minute(app.limited_until, *until)),
            Err(fault) => {
                return tracing::warn!(app = %app.id, reason = fault.chain(), "an app was not counted");
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
                    tracing::warn!(app = %app.id, %until, "an app sent more than it may and is refused");
                }
            }
            Err(fault) => tracing::warn!(app = %app.id, reason = fault.chain(), "an app was not limited"),
        }
    }
}

/// Whether `until` is at least a minute later than what is `known`: less is not worth a write.
fn adds_a_minute(known: Option<TimestampMs>, until: TimestampMs) -> bool {
    known.is_none_or(|known| until.ms_since(known) >= MINUTE_MS)
}

impl Term {
    /// Until when the application is refused for what it sent in the minutes that were computed.
    async fn refused_until(&self, app: &App) -> Result<Option<TimestampMs>, Fault> {
        let mut minutes: BTreeMap<RollupSpan, BTreeMap<u16, Sent>> = BTreeMap::new();
        for ((shard, minute), sent) in self.computer.minute_totals() {
            minutes.entry(minute).or_default().insert(shard.shard, sent);
        }
        let mut latest = None;
        for (minute, by_shard) in minutes {
            latest = latest.max(self.refused_for(app, minute, &by_shard).await?);
        }
        Ok(latest)
    }

    /// The same for one minute. The batch may lack some write shards: these are asked for only where the others are
    /// so full that the whole may be too much. Where it is, one shard at least has its share, and its batch sees it.
    async fn refused_for(
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
        let there = by_shard.len().max(1) as u64;
        let scaled = |count: u64| count.saturating_mul(u64::from(app.shards)) / there;
        let whole = Sent { reports: scaled(sent.reports), bytes: scaled(sent.bytes) };
        if rates.refused_until(whole, end).is_none() {
            return Ok(None);
        }
        for shard in (0..app.shards).filter(|shard| !by_shard.contains_key(shard)) {
            let shard = AppShard { app: app.id.clone(), shard };
            let held = self.computer.rollups().find(&shard, minute).await?;
            // Its bytes are not known: they are taken as none, so that no application is refused by a guess.
            sent.reports += held.and_then(|held| held.rollup().ok()).map_or(0, |rollup| rollup.reports());
        }
        Ok(rates.refused_until(sent, end))
    }
}
