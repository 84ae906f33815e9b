//! Apps read within the last minute.

use std::sync::Arc;

use nsl_domain::app::{App, Status};
use nsl_domain::ids::AppId;
use nsl_domain::rejection::Rejection;
use nsl_domain::time::TimestampMs;

use super::table::Apps;
use crate::cache::Cache;
use crate::fault::Fault;

/// The Apps table behind a cache.
#[derive(Debug)]
pub struct AppCache {
    apps: Apps,
    cached: Cache<AppId, Arc<App>>,
}

/// Whether a caller may do something with an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorisation {
    /// It may; the app that it was checked against.
    Granted(Arc<App>),
    /// It may not.
    Rejected(Rejection),
}

impl Authorisation {
    /// The app, or why not.
    ///
    /// # Errors
    /// The rejection of a caller that may not.
    pub fn into_result(self) -> Result<Arc<App>, Rejection> {
        match self {
            Self::Granted(app) => Ok(app),
            Self::Rejected(rejection) => Err(rejection),
        }
    }
}

impl AppCache {
    /// An empty cache of `apps`.
    pub fn new(apps: Apps) -> Self {
        Self { apps, cached: Cache::default() }
    }

    /// `app`, cached for at most a minute. No call, or one read.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read, or the item not decoded.
    pub async fn cached(&self, app: &AppId, now: TimestampMs) -> Result<Option<Arc<App>>, Fault> {
        match self.cached.get(app, now) {
            Some(cached) => Ok(Some(cached)),
            None => self.fetch(app, now).await,
        }
    }

    /// The cached `app` if it was active, otherwise the current one: an inactive app may be deleted at any moment. No call, or one read.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read, or the item not decoded.
    pub async fn cached_if_active(&self, app: &AppId, now: TimestampMs) -> Result<Option<Arc<App>>, Fault> {
        match self.cached.get(app, now).filter(|cached| cached.status == Status::Active) {
            Some(cached) => Ok(Some(cached)),
            None => self.fetch(app, now).await,
        }
    }

    /// Checks `app` with `check`, first the cached one, then the current one: no caller is rejected because of an
    /// outdated app. No call, or one read.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read, or the item not decoded.
    pub async fn authorise(
        &self,
        app: &AppId,
        now: TimestampMs,
        check: impl Fn(Option<&App>) -> Result<(), Rejection>,
    ) -> Result<Authorisation, Fault> {
        if let Some(cached) = self.cached.get(app, now)
            && check(Some(&cached)).is_ok()
        {
            return Ok(Authorisation::Granted(cached));
        }
        let current = self.fetch(app, now).await?;
        Ok(match (check(current.as_deref()), current) {
            (Ok(()), Some(app)) => Authorisation::Granted(app),
            (Ok(()), None) => Authorisation::Rejected(Rejection::unauthorized()),
            (Err(rejection), _) => Authorisation::Rejected(rejection),
        })
    }

    /// The current `app`, which credentials are checked against. One read.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read, or the item not decoded.
    pub async fn fetch(&self, app: &AppId, now: TimestampMs) -> Result<Option<Arc<App>>, Fault> {
        let found = self.apps.find(app).await?.map(Arc::new);
        if let Some(app) = &found {
            self.cached.insert(app.id.clone(), Arc::clone(app), now);
        }
        Ok(found)
    }
}
