//! The function's clients and caches, which live as long as its instance.

use nsl_auth::token::TrustedKeys;
use nsl_aws::apps::AppCache;
use nsl_aws::audience::Audience;
use nsl_aws::boot::Clients;
use nsl_aws::connections_api::ConnectionsApi;
use nsl_aws::counters::Counters;
use nsl_aws::event::SocketEvent;
use nsl_aws::fan_out::FanOut;
use nsl_aws::fault::Fault;
use nsl_aws::legacy::Admissions;
use nsl_aws::legacy::Commands;
use nsl_aws::legacy::Logs;
use nsl_aws::publishers::Publishers;
use nsl_aws::reports::Reports;
use nsl_aws::rollups::Rollups;
use nsl_aws::sessions::Sessions;
use nsl_aws::subscriptions::Subscriptions;
use nsl_aws::unauthenticated::UnauthenticatedConnections;
use nsl_domain::grant::Grant;
use nsl_domain::rollup::Retention;

use crate::connection_cache::Connections;
use crate::replay_limiter::ReplayLimiter;
use crate::settings::Settings;

/// The function, with its clients.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) app_cache: AppCache,
    pub(crate) sessions: Sessions,
    pub(crate) admissions: Admissions,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) audience: Audience,
    pub(crate) fan_out: FanOut,
    pub(crate) publishers: Publishers,
    pub(crate) reports: Reports,
    pub(crate) rollups: Rollups,
    pub(crate) logs: Logs,
    pub(crate) commands: Commands,
    pub(crate) trusted: TrustedKeys,
    pub(crate) connections_api: ConnectionsApi,
    pub(crate) connections: Connections,
    pub(crate) replay_limiter: ReplayLimiter,
    pub(crate) unauthenticated: UnauthenticatedConnections,
    pub(crate) counters: Counters,
}

impl Session {
    pub(crate) fn new(clients: &Clients, settings: &Settings, trusted: TrustedKeys) -> Self {
        Self {
            app_cache: AppCache::new(clients.apps(&settings.apps_table)),
            sessions: clients.sessions(&settings.connections_table),
            admissions: clients.admissions(&settings.connections_table),
            subscriptions: clients.subscriptions(&settings.connections_table),
            audience: clients.audience(&settings.connections_table),
            fan_out: clients.fan_out(&settings.connections_table),
            publishers: clients.publishers(&settings.connections_table),
            reports: clients.reports(&settings.reports_table),
            rollups: clients.rollups(&settings.rollups_table, Retention::default()),
            logs: clients.log_entries(&settings.logs_table),
            commands: clients.commands(&settings.connections_table),
            connections: Connections::default(),
            connections_api: clients.connections_api(),
            replay_limiter: ReplayLimiter::default(),
            unauthenticated: clients.unauthenticated(&settings.connections_table),
            counters: clients.counters(&settings.metrics_namespace),
            trusted,
        }
    }

    /// Stores a publisher's row for each app that `grant` names for publishing.
    pub(crate) async fn add_publisher(&self, grant: &Grant, event: &SocketEvent) -> Result<(), Fault> {
        let (apps, proof) = (grant.publishes(), grant.stored_proof());
        self.publishers.add(apps, &event.connection, &proof, event.arrival).await
    }
}
