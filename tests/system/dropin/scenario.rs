//! Minutes in the life of libraries and dashboards, good and bad, through whatever can happen to the service.
//!
//! The models' own intervals pass twice as fast. What the service measures by the clock is not compressed: a status
//! in four seconds, twenty frames in ten, copies ten milliseconds apart; at this pace a tab stays below each of them.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{counted, drawn_once, legacy_app, owner_of, page, program};
use crate::compat::{Copies, Credentials, Dashboard, Dice, Library, Life, Tally, Wish};
use crate::system::harness::{App, Cabled, Client, QUIET, nsl};

/// Seconds of the models in a second of ours. At three, a tab alone comes near twenty frames in ten seconds.
const PACE: u32 = 2;
/// How long each state of the world lasts: longer than any interval of a model's but the status of ten seconds.
const SPELL: Duration = Duration::from_secs(5);
/// Log lines at once; the service takes fifty a second of a connection.
const STORM_LINES: u32 = 120;
const LINES_TAKEN_MIN: usize = 20;
/// How late an application may be seen switched off: an instance believes its record for a minute.
const REVOCATION_LIMIT: Duration = Duration::from_secs(80);
/// Reports that a tab must have drawn before the world changes.
const DRAWN: usize = 3;
/// What API Gateway says itself when an integration fails, and when it is asked too much.
const TRANSPORT_ERRORS: [&str; 2] = [
    r#"{"message":"Internal server error","connectionId":"UIcZQdQsoAMCLTw=","requestId":"UIcaLH0FoAMFz3w="}"#,
    r#"{"message":"Too Many Requests","connectionId":"UIcZQdQsoAMCLTw=","requestId":"UIcaLH0FoAMFz3x="}"#,
];

/// Everyone who lives through the scenario.
struct Cast {
    app: App,
    libraries: Vec<Life<Library>>,
    tabs: Vec<Life<Dashboard>>,
    /// Who has no business here, with the reason.
    strangers: Vec<(&'static str, Life<Library>, Life<Dashboard>)>,
    sleeping: App,
}

impl Cast {
    async fn gather(cabled: &Cabled) -> Self {
        let gateway = cabled.gateway();
        let app = legacy_app(gateway).await;
        let sleeping = legacy_app(gateway).await;
        nsl(gateway, &["app", "deactivate", &sleeping.app_id]).await;
        let foreign = App::create_with(gateway, &["--legacy", "--owner", "nehonix_other"]).await;
        let modern = App::create_with(gateway, &["--owner", "nehonix_owner"]).await;
        let user = app.user_id.as_str();
        let strangers = [
            ("wrong user", Credentials::new("nehonix_nobody", &app.app_id)),
            ("unknown app", Credentials::new(user, "no-such-application")),
            ("foreign app", Credentials::new(user, &foreign.app_id)),
            ("app without the flag", Credentials::new(user, &modern.app_id)),
            ("inactive app", owner_of(&sleeping)),
        ];
        let (process, tab) = (program(cabled.address(), PACE), page(cabled.address(), PACE));
        let two = |seed| Copies::Two(Dice::new(seed));
        let strangers = strangers.into_iter().map(|(why, who)| {
            let library = Life::begin(Library::new(who.clone(), two(7)), &process);
            (why, library, Life::begin(Dashboard::new(who), &tab))
        });
        let strangers = strangers.collect();
        let libraries = vec![
            Life::begin(Library::new(owner_of(&app), two(1)), &process),
            Life::begin(Library::of_old(owner_of(&app), two(2)), &process),
        ];
        let tabs = (0..2).map(|_| Life::begin(Dashboard::new(owner_of(&app)), &tab)).collect();
        Self { app, libraries, tabs, strangers, sleeping }
    }

    /// Waits until every tab draws reports that come from here on.
    async fn is_well(&self, when: &str) {
        for tab in &self.tabs {
            let before = tab.see(|tab| tab.shown().len());
            tab.until(when, |tab| tab.is_welcome() && tab.shown().len() >= before + DRAWN).await;
        }
    }

    fn everyone_overhears(&self, text: &str) {
        self.libraries.iter().for_each(|library| library.overhear(text));
        self.tabs.iter().for_each(|tab| tab.overhear(text));
    }
}

/// The owner uses the page, and the application logs more than is taken.
async fn use_everything(cast: &Cast, cabled: &Cabled) {
    let (library, tab) = (&cast.libraries[0], &cast.tabs[0]);
    library.until("history of the library", |library| !library.history_lengths().is_empty()).await;
    library.wish(Wish::Log(STORM_LINES));
    tab.until("lines of a storm", |tab| tab.lines().len() >= LINES_TAKEN_MIN).await;
    let before = library.see(|library| library.commands().len());
    tab.wish(Wish::Toggle { kind: "console_toggle", enabled: false });
    library.until("command", |library| library.commands().len() > before).await;
    tab.until("confirmation", |tab| tab.confirmed() > 0).await;
    for wish in [Wish::History, Wish::Filter, Wish::Clear] {
        tab.wish(wish);
    }
    let listed = tab.see(|tab| tab.lines().len());
    tab.until("history of a tab", |tab| tab.lines().len() > listed).await;
    let late = Life::begin(Dashboard::new(owner_of(&cast.app)), &page(cabled.address(), PACE));
    let held = [("console_toggle".to_owned(), false)];
    late.until("switch that was thrown before", |tab| tab.switches() == held).await;
    late.end("a late tab").await;
    for text in TRANSPORT_ERRORS {
        cast.everyone_overhears(text);
    }
}

/// The store cannot be reached for a while, in which two more are born.
async fn lose_the_store(cast: &mut Cast, cabled: &Cabled) {
    cabled.unplug();
    sleep(SPELL / 2).await;
    let owner = owner_of(&cast.app);
    cast.tabs.push(Life::begin(Dashboard::new(owner.clone()), &page(cabled.address(), PACE)));
    let library = Library::new(owner, Copies::Two(Dice::new(3)));
    cast.libraries.push(Life::begin(library, &program(cabled.address(), PACE)));
    sleep(SPELL / 2).await;
    cabled.plug_in();
}

/// The operator switches the application off, which closes its connections, and on again.
async fn switch_off_and_on(cast: &Cast, cabled: &Cabled) {
    let id = cast.app.app_id.as_str();
    let connections = || -> Vec<usize> { cast.libraries.iter().map(Life::connections).collect() };
    let before = connections();
    nsl(cabled.gateway(), &["app", "deactivate", id]).await;
    let is_told = |tab: &Dashboard| {
        tab.statuses()
            .last()
            .is_some_and(|status| status["appExists"] == true && status["appIsActive"] == false)
    };
    for tab in &cast.tabs {
        tab.until_within(REVOCATION_LIMIT, "word that the application is inactive", is_told).await;
    }
    // They report on, as nobody now, and are not closed for that: they would come back every three seconds.
    for (library, closed) in cast.libraries.iter().zip(before) {
        library.opens(closed + 1).await;
    }
    let back = connections();
    sleep(SPELL).await;
    assert_eq!(connections(), back, "a library was closed for reports that nobody may send");
    nsl(cabled.gateway(), &["app", "activate", id]).await;
    for tab in &cast.tabs {
        tab.until("welcome without a new connection", Dashboard::is_welcome).await;
    }
    // A library says `auth` once for each connection, so it is heard again with its next.
    cabled.hang_up();
}

/// What is left of everyone: how many reports there were, which of them were drawn, and what went over the
/// connections of those who belong here and of strangers.
#[derive(Default)]
struct Remains {
    reported: u64,
    drawn: BTreeSet<String>,
    ours: Tally,
    others: Tally,
}

/// Ends everyone, and proves that each of them lived.
async fn dismiss(cast: Cast) -> Remains {
    let Remains { mut reported, mut drawn, mut ours, mut others } = Remains::default();
    for (index, tab) in cast.tabs.into_iter().enumerate() {
        let who = format!("tab {index}");
        let (tab, tally) = tab.end(&who).await;
        drawn.extend(drawn_once(&tab, &who));
        ours.merge(tally);
    }
    for (index, library) in cast.libraries.into_iter().enumerate() {
        let (library, tally) = library.end(&format!("library {index}")).await;
        reported += library.reported();
        ours.merge(tally);
    }
    for (why, library, tab) in cast.strangers {
        let is_let_in = why == "inactive app";
        let (library, tally) = library.end(&format!("library, {why}")).await;
        assert!(is_let_in || !library.is_welcome(), "the library of {why} was welcomed");
        others.merge(tally);
        let (tab, tally) = tab.end(&format!("tab, {why}")).await;
        assert!(tab.refusals() > 0, "the tab of {why} was told nothing");
        assert!(is_let_in || tab.shown().is_empty(), "the tab of {why} was shown something");
        others.merge(tally);
    }
    Remains { reported, drawn, ours, others }
}

#[tokio::test]
async fn libraries_and_dashboards_live_through_everything_that_the_service_can_do() {
    let _quiet = QUIET.lock().await;
    let began = Instant::now();
    let mut cabled = Cabled::start(&["--stream-window", "1"]).await;
    let mut cast = Cast::gather(&cabled).await;
    let mut viewer = Client::viewer(cabled.gateway(), &cast.app).await;
    cast.is_well("reports in the calm").await;
    viewer.next("metrics").await;
    use_everything(&cast, &cabled).await;
    nsl(cabled.gateway(), &["app", "activate", &cast.sleeping.app_id]).await;
    let (_, _, woken) = cast.strangers.last().expect("the last stranger's application sleeps");
    woken.until("welcome of an application that was inactive", Dashboard::is_welcome).await;

    lose_the_store(&mut cast, &cabled).await;
    cast.is_well("reports after a fault of the store").await;
    cabled.restart().await;
    cast.is_well("reports after a restart").await;
    switch_off_and_on(&cast, &cabled).await;
    cast.is_well("reports after the application was inactive").await;

    let app = cast.app.clone();
    let lives = 2 * cast.strangers.len() + cast.tabs.len() + cast.libraries.len();
    let Remains { reported, drawn, ours, others } = dismiss(cast).await;
    let stored = counted(cabled.gateway(), &app).await;
    let drawn = u64::try_from(drawn.len()).expect("a count");
    assert!(stored <= reported, "{stored} of {reported} reports are counted");
    assert!(0 < drawn && drawn <= stored, "{drawn} reports were drawn and {stored} are counted");
    let minutes = began.elapsed().as_secs_f64() * f64::from(PACE) / 60.0;
    println!(
        "{lives} models lived {minutes:.1} of their minutes each, on {} connections",
        ours.connections.len()
    );
    for (who, tally) in [("those who belong here", &ours), ("strangers", &others)] {
        let (sent, received) = (tally.sent(), tally.received());
        println!(
            "  {who}: {} frames in, {} out, {} of these answers",
            sent.total(),
            received.total(),
            tally.answered()
        );
    }
    println!(
        "  {reported} reports left the libraries once or twice, {stored} are counted, {drawn} were drawn"
    );
    println!("  the store was asked {}", cabled.take_calls());
}
