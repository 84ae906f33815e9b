//! Models of the published library and its dashboard against the running service: no reply may crash one, count a report
//! twice or start an endless loop. See docs/PROTOCOL.md, "The library and its dashboard".

mod cost;
mod random_frames;
mod scenario;
mod workers;

use std::collections::{BTreeMap, BTreeSet};

use crate::compat::{Credentials, Dashboard, Endpoint, Library, RunningModel};
use crate::system::harness::{self, App, DASHBOARD, Gateway, PartitionedGateway};

fn owner_of(app: &App) -> Credentials {
    Credentials::new(&app.user_id, &app.app_id)
}

/// Starts a library, whose handshake has no origin.
fn start_library(gateway: &PartitionedGateway, library: Library, pace: u32) -> RunningModel<Library> {
    let address = gateway.address().to_owned();
    RunningModel::start(library, &Endpoint { address, origin: None, pace })
}

/// Starts a tab of the dashboard.
fn start_tab(gateway: &PartitionedGateway, owner: Credentials, pace: u32) -> RunningModel<Dashboard> {
    let address = gateway.address().to_owned();
    RunningModel::start(Dashboard::new(owner), &Endpoint { address, origin: Some(DASHBOARD), pace })
}

/// Reports that one connection may receive again: the last known one, which the first live ones may overtake, and a frame
/// that is posted again because a busy machine confirmed it too late.
const DRAWN_AGAIN_MAX: usize = 3;

/// The ids of the reports that a tab drew; asserts that each was drawn once per connection, but for [`DRAWN_AGAIN_MAX`].
fn drawn_once(tab: &Dashboard, who: &str) -> BTreeSet<String> {
    let (mut drawn, mut of_connection) = (BTreeSet::new(), BTreeSet::new());
    let mut again: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (place, shown) in tab.drawn.iter().enumerate() {
        if !of_connection.insert((shown.connection, &shown.id)) {
            again.entry(shown.connection).or_default().push((place, &shown.id));
        }
        assert!(
            shown.memory_total > 0.0 && shown.cpu_usage > 0.0 && shown.has_network,
            "{who} drew {shown:?}"
        );
        drawn.insert(shown.id.clone());
    }
    for (connection, again) in again {
        assert!(again.len() <= DRAWN_AGAIN_MAX, "{who} drew twice on its connection {connection}: {again:?}");
    }
    drawn
}

/// The number of reports in the history of the last hour; fewer if the stream has not delivered all.
async fn counted(gateway: &Gateway, app: &App) -> u64 {
    let path = format!("/apps/{}/metrics?timeRange=hour&series=process.uptime", app.app_id);
    harness::counted(&gateway.json(&path, app).await, "process.uptime")
}
