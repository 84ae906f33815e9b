//! Libraries and dashboards through an outage, a restart, a deactivated application and invalid credentials.
//!
//! The models' intervals pass twice as fast. The limits that the service measures are in real time: one status in 4 s,
//! 20 frames in 10 s, copies 10 ms apart. At this pace a tab stays below each of them.

use std::collections::BTreeSet;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep};

use super::{counted, drawn_once, owner_of, start_library, start_tab};
use crate::compat::{Copies, Credentials, Dashboard, FrameCounts, Library, RunningModel, UserAction};
use crate::system::harness::{App, Client, PartitionedGateway, QUIET, nsl};

/// How many of the models' seconds pass in one second. At three, a tab comes near 20 frames in 10 s.
const PACE: u32 = 2;
/// Duration of each state: longer than any interval of a model but the status of 10 s.
const PHASE: Duration = Duration::from_secs(5);
/// Log lines at once; the service accepts 50 a second from a connection.
const STORM_LINES: u32 = 120;
const LINES_TAKEN_MIN: usize = 20;
/// Time until every instance has seen that an application is inactive: apps are cached for a minute.
const REVOCATION_LIMIT: Duration = Duration::from_secs(80);
/// Reports that a tab must have drawn before the next state.
const DRAWN: usize = 3;
/// How the notices to programs begin.
const UNPROVED: &str = "NSL: these ids open no app here";
const SWITCHED_OFF: &str = "NSL: the app is switched off";
/// What API Gateway itself sends for a failed integration and for throttling.
const TRANSPORT_ERRORS: [&str; 2] = [
    r#"{"message":"Internal server error","connectionId":"UIcZQdQsoAMCLTw=","requestId":"UIcaLH0FoAMFz3w="}"#,
    r#"{"message":"Too Many Requests","connectionId":"UIcZQdQsoAMCLTw=","requestId":"UIcaLH0FoAMFz3x="}"#,
];

/// The clients of the scenario.
struct Clients {
    app: App,
    libraries: Vec<RunningModel<Library>>,
    tabs: Vec<RunningModel<Dashboard>>,
    /// Clients with invalid credentials, with the reason.
    outsiders: Vec<(&'static str, RunningModel<Library>, RunningModel<Dashboard>)>,
    sleeping: App,
}

impl Clients {
    async fn gather(partitioned: &PartitionedGateway) -> Self {
        let gateway = partitioned.gateway();
        let app = App::create_legacy(gateway).await;
        let sleeping = App::create_legacy(gateway).await;
        nsl(gateway, &["app", "deactivate", &sleeping.app_id]).await;
        let foreign = App::create_with(gateway, &["--legacy", "--owner", "nehonix_other"]).await;
        let modern = App::create_with(gateway, &["--owner", "nehonix_owner"]).await;
        let user = app.user_id.as_str();
        let outsiders = [
            ("wrong user", Credentials::new("nehonix_unknown", &app.app_id)),
            ("unknown app", Credentials::new(user, "no-such-application")),
            ("foreign app", Credentials::new(user, &foreign.app_id)),
            ("app without the flag", Credentials::new(user, &modern.app_id)),
            ("inactive app", owner_of(&sleeping)),
        ];
        let two = |seed| Copies::Two(Rng::with_seed(seed));
        let outsiders = outsiders.into_iter().map(|(why, who)| {
            let library = start_library(partitioned, Library::new(who.clone(), two(7)), PACE);
            (why, library, start_tab(partitioned, who, PACE))
        });
        let outsiders = outsiders.collect();
        let libraries = vec![
            start_library(partitioned, Library::new(owner_of(&app), two(1)), PACE),
            start_library(partitioned, Library::with_old_report_type(owner_of(&app), two(2)), PACE),
        ];
        let tabs = (0..2).map(|_| start_tab(partitioned, owner_of(&app), PACE)).collect();
        Self { app, libraries, tabs, outsiders, sleeping }
    }

    /// Waits until every tab has drawn new reports.
    async fn wait_for_reports(&self, when: &str) {
        for tab in &self.tabs {
            let before = tab.inspect(|tab| tab.drawn.len());
            tab.wait_until(when, |tab| tab.is_authenticated && tab.drawn.len() >= before + DRAWN).await;
        }
    }

    fn inject_everywhere(&self, text: &str) {
        self.libraries.iter().for_each(|library| library.inject(text));
        self.tabs.iter().for_each(|tab| tab.inject(text));
    }
}

/// The owner uses the page, and the application logs more than is accepted.
async fn use_everything(clients: &Clients, partitioned: &PartitionedGateway) {
    let (library, tab) = (&clients.libraries[0], &clients.tabs[0]);
    library.wait_until("history of the library", |library| !library.history_lengths.is_empty()).await;
    library.perform(UserAction::Log(STORM_LINES));
    tab.wait_until("lines of a storm", |tab| tab.lines.len() >= LINES_TAKEN_MIN).await;
    let before = library.inspect(|library| library.commands.len());
    tab.perform(UserAction::Toggle { kind: "console_toggle", enabled: false });
    library.wait_until("command", |library| library.commands.len() > before).await;
    tab.wait_until("confirmation", |tab| tab.confirmed_commands > 0).await;
    for action in [UserAction::History, UserAction::Filter, UserAction::Clear] {
        tab.perform(action);
    }
    let listed = tab.inspect(|tab| tab.lines.len());
    tab.wait_until("history of a tab", |tab| tab.lines.len() > listed).await;
    let late = start_tab(partitioned, owner_of(&clients.app), PACE);
    let held = [("console_toggle".to_owned(), false)];
    late.wait_until("switch that was thrown before", |tab| tab.switches == held).await;
    late.end("a late tab").await;
    for text in TRANSPORT_ERRORS {
        clients.inject_everywhere(text);
    }
}

/// The store is unreachable for a while, in which two more clients start.
async fn cut_the_store(clients: &mut Clients, partitioned: &PartitionedGateway) {
    partitioned.cut_dynamodb();
    sleep(PHASE / 2).await;
    let owner = owner_of(&clients.app);
    clients.tabs.push(start_tab(partitioned, owner.clone(), PACE));
    let library = Library::new(owner, Copies::Two(Rng::with_seed(3)));
    clients.libraries.push(start_library(partitioned, library, PACE));
    sleep(PHASE / 2).await;
    partitioned.restore_dynamodb();
}

/// The operator deactivates the application, which closes its connections, and activates it again.
async fn switch_off_and_on(clients: &Clients, partitioned: &PartitionedGateway) {
    let id = clients.app.app_id.as_str();
    let connections = || -> Vec<usize> { clients.libraries.iter().map(RunningModel::connections).collect() };
    let before = connections();
    nsl(partitioned.gateway(), &["app", "deactivate", id]).await;
    let is_inactive = |tab: &Dashboard| {
        tab.statuses
            .last()
            .is_some_and(|status| status["appExists"] == true && status["appIsActive"] == false)
    };
    for tab in &clients.tabs {
        tab.wait_until_within(REVOCATION_LIMIT, "inactive status", is_inactive).await;
    }
    // They keep reporting, which has no effect, and are not closed for that: they would reconnect every three seconds.
    for (library, closed) in clients.libraries.iter().zip(before) {
        library.wait_for_connections(closed + 1).await;
    }
    let back = connections();
    sleep(PHASE).await;
    nsl(partitioned.gateway(), &["app", "activate", id]).await;
    for tab in &clients.tabs {
        tab.wait_until("authentication without a new connection", |tab| tab.is_authenticated).await;
    }
    // A library sends `auth` once for each connection, so its reports must be enough.
    clients.wait_for_reports("reports after the application was inactive").await;
    assert_eq!(connections(), back, "a library needed another connection");
    for library in &clients.libraries {
        let printed = library.inspect(|library| library.printed.clone());
        assert!(printed.iter().any(|(_, text)| text.starts_with(SWITCHED_OFF)), "{printed:?}");
    }
}

/// Asserts that a connection was notified of each thing once, and sent no error.
fn assert_notified_once(library: &Library, counts: &FrameCounts, why: &str) {
    let once: BTreeSet<_> = library.printed.iter().collect();
    assert_eq!(once.len(), library.printed.len(), "{why}: {:?}", library.printed);
    assert_eq!(counts.received().of("error"), 0, "{why}");
}

/// The results of all clients: reports sent, reports drawn, and the frames of valid clients and of outsiders.
#[derive(Default)]
struct Results {
    reported: u64,
    drawn: BTreeSet<String>,
    ours: FrameCounts,
    others: FrameCounts,
}

/// Stops all clients and asserts that each was still running.
async fn stop_all(clients: Clients) -> Results {
    let Results { mut reported, mut drawn, mut ours, mut others } = Results::default();
    for (index, tab) in clients.tabs.into_iter().enumerate() {
        let who = format!("tab {index}");
        let (tab, counts) = tab.end(&who).await;
        drawn.extend(drawn_once(&tab, &who));
        ours.merge(counts);
    }
    for (index, library) in clients.libraries.into_iter().enumerate() {
        let (library, counts) = library.end(&format!("library {index}")).await;
        assert_notified_once(&library, &counts, "a library of ours");
        reported += library.reported;
        ours.merge(counts);
    }
    for (why, library, tab) in clients.outsiders {
        let may_authenticate = why == "inactive app";
        let (library, counts) = library.end(&format!("library, {why}")).await;
        assert_eq!(library.is_authenticated, may_authenticate, "the library of {why}");
        assert_notified_once(&library, &counts, why);
        let expected = if may_authenticate { SWITCHED_OFF } else { UNPROVED };
        assert!(library.printed.iter().any(|(_, text)| text.starts_with(expected)), "{why}");
        assert!(
            may_authenticate || library.printed.iter().all(|(_, text)| text.starts_with(UNPROVED)),
            "{why}"
        );
        others.merge(counts);
        let (tab, counts) = tab.end(&format!("tab, {why}")).await;
        assert_eq!(tab.auth_errors > 0, !may_authenticate, "the tab of {why}");
        assert!(may_authenticate || tab.drawn.is_empty(), "the tab of {why} drew a report");
        others.merge(counts);
    }
    Results { reported, drawn, ours, others }
}

#[tokio::test]
async fn legacy_clients_survive_outages_and_restarts() {
    let _quiet = QUIET.lock().await;
    let began = Instant::now();
    let mut partitioned = PartitionedGateway::start(&["--stream-window", "1"]).await;
    let mut clients = Clients::gather(&partitioned).await;
    let mut viewer = Client::viewer(partitioned.gateway(), &clients.app).await;
    clients.wait_for_reports("reports before any fault").await;
    viewer.next("metrics").await;
    use_everything(&clients, &partitioned).await;
    nsl(partitioned.gateway(), &["app", "activate", &clients.sleeping.app_id]).await;
    let (_, _, woken) = clients.outsiders.last().expect("the last outsider's application sleeps");
    woken.wait_until("authentication for an activated application", |tab| tab.is_authenticated).await;

    cut_the_store(&mut clients, &partitioned).await;
    clients.wait_for_reports("reports after a fault of the store").await;
    partitioned.restart().await;
    clients.wait_for_reports("reports after a restart").await;
    switch_off_and_on(&clients, &partitioned).await;
    partitioned.cut_clients();
    clients.wait_for_reports("reports after every connection was cut").await;

    let app = clients.app.clone();
    let models = 2 * clients.outsiders.len() + clients.tabs.len() + clients.libraries.len();
    let Results { reported, drawn, ours, others } = stop_all(clients).await;
    let stored = counted(partitioned.gateway(), &app).await;
    let drawn = u64::try_from(drawn.len()).expect("a count");
    assert!(stored <= reported, "{stored} of {reported} reports are counted");
    assert!(0 < drawn && drawn <= stored, "{drawn} reports were drawn and {stored} are counted");
    let minutes = began.elapsed().as_secs_f64() * f64::from(PACE) / 60.0;
    println!(
        "{models} models ran for {minutes:.1} of their minutes on {} connections",
        ours.connections.len()
    );
    for (who, counts) in [("valid clients", &ours), ("outsiders", &others)] {
        let (sent, received) = (counts.sent(), counts.received());
        println!(
            "  {who}: {} frames in, {} out, {} of these answers",
            sent.total(),
            received.total(),
            counts.answered()
        );
    }
    println!(
        "  {reported} reports left the libraries once or twice, {stored} are counted, {drawn} were drawn"
    );
    println!("  DynamoDB calls: {}", partitioned.take_calls());
}
