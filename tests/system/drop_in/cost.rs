//! What a library and its dashboard cost: frames, answers, stored reports and calls of the store, with and without
//! the doubling, and for a hundred tabs.

use std::time::Duration;

use fastrand::Rng;
use tokio::time::sleep;

use super::{counted, drawn_once, legacy_app, owner_of, page, program};
use crate::compat::{Copies, Dashboard, FrameCounts, Library, RunningModel};
use crate::system::harness::{Client, DynamoDbCalls, PartitionedGateway, QUIET};

/// For how long the doubling is counted, and the tabs are.
const PHASE: Duration = Duration::from_secs(8);
const LONG_PHASE: Duration = Duration::from_secs(14);
/// What a library on its own pace reports four times as fast.
const PACE: u32 = 4;
/// After which nothing is under way any more.
const SETTLED: Duration = Duration::from_secs(2);
const TABS: usize = 100;
const TABS_AT_ONCE: usize = 10;
/// What a tab and a library may cost together, beyond reports, as frames in ten seconds.
const ASKED_IN_TEN: u64 = 15;
const ANSWERED_IN_TEN: u64 = 5;
/// What a tab asks, and is answered, once when it opens.
const OPENING_ASKED: u64 = 6;
const OPENING_ANSWERED: u64 = 4;
/// DynamoDbCalls of the store that a tab's opening may cost, and a frame of reports; any other frame may cost one.
const OPENING_CALLS: u64 = 12;
const REPORT_CALLS: u64 = 3;
const WRITES: [&str; 2] = ["PutItem", "TransactWriteItems"];

/// What one spell cost.
struct PhaseCost {
    reported: u64,
    frames: u64,
    answers: u64,
    shown: u64,
    counted: u64,
    calls: DynamoDbCalls,
}

/// A library and a tab, each at its own pace, for one spell.
async fn run_phase(copies: Copies) -> PhaseCost {
    // No rollup is computed meanwhile, so that what the store is asked is due to frames alone.
    let partitioned = PartitionedGateway::start(&["--stream-window", "300"]).await;
    let app = legacy_app(partitioned.gateway()).await;
    let tab = RunningModel::start(Dashboard::new(owner_of(&app)), &page(partitioned.address(), 1));
    tab.wait_until("welcome", Dashboard::is_authenticated).await;
    let mut viewer = Client::viewer(partitioned.gateway(), &app).await;
    partitioned.take_calls();
    let library =
        RunningModel::start(Library::new(owner_of(&app), copies), &program(partitioned.address(), PACE));
    library.wait_until("welcome of the library", Library::is_authenticated).await;
    sleep(PHASE).await;
    let (library, said) = library.end("the library").await;
    sleep(SETTLED).await;
    let calls = partitioned.take_calls();
    let (tab, heard) = tab.end("the tab").await;
    let shown = u64::try_from(drawn_once(&tab, "the tab").len()).expect("a count");
    assert_eq!(u64::try_from(tab.drawn().len()).expect("a count"), shown, "the tab drew a copy");
    viewer.round_trip().await;
    assert_eq!(
        u64::try_from(viewer.untaken("metrics")).expect("a count"),
        shown,
        "a viewer beside it differs"
    );
    let counted = counted(partitioned.gateway(), &app).await;
    let answers = said.answered() + heard.answered();
    PhaseCost {
        reported: library.reported(),
        frames: said.sent().of("send_metrics"),
        answers,
        shown,
        counted,
        calls,
    }
}

#[tokio::test]
async fn doubled_report_is_stored_counted_and_shown_once() {
    let _quiet = QUIET.lock().await;
    let once = run_phase(Copies::One).await;
    let twice = run_phase(Copies::Two(Rng::with_seed(11))).await;
    for (cost, name, copies) in [(&once, "once", 1), (&twice, "twice over", 2)] {
        let writes = cost.calls.on("Reports", &WRITES);
        println!(
            "{} reports sent {name}: {} frames, {} answers, {} shown, {} counted, {writes} writes, store asked{}",
            cost.reported, cost.frames, cost.answers, cost.shown, cost.counted, cost.calls
        );
        assert!(cost.reported > 0 && cost.frames <= copies * cost.reported);
        assert_eq!((cost.shown, cost.counted), (cost.reported, cost.reported), "sent {name}");
        // The retries of a conflict come on top.
        assert!(writes <= 2 * cost.frames, "{writes} writes for {} frames", cost.frames);
        // Only the winner of two copies asks who watches.
        let asked_who_watches = cost.calls.on("Connections", &["Query"]);
        assert!(asked_who_watches <= cost.reported + OPENING_ASKED, "{}", cost.calls);
    }
}

/// Lets so many tabs watch a library, and returns what they said and heard, and what the store was asked.
async fn watch(tabs: usize) -> (FrameCounts, DynamoDbCalls) {
    let partitioned = PartitionedGateway::start(&["--stream-window", "300"]).await;
    let app = legacy_app(partitioned.gateway()).await;
    partitioned.take_calls();
    let copies = Copies::Two(Rng::with_seed(5));
    let library =
        RunningModel::start(Library::new(owner_of(&app), copies), &program(partitioned.address(), 1));
    let endpoint = page(partitioned.address(), 1);
    let mut opened = Vec::new();
    // A few at a time: what is measured is what tabs cost, not how many a laptop's gateway can let in at once.
    while opened.len() < tabs {
        let few = (opened.len()..tabs).take(TABS_AT_ONCE);
        let few: Vec<_> =
            few.map(|_| RunningModel::start(Dashboard::new(owner_of(&app)), &endpoint)).collect();
        for tab in &few {
            tab.wait_until("report", |tab| !tab.drawn().is_empty()).await;
        }
        opened.extend(few);
    }
    sleep(LONG_PHASE).await;
    let (_, mut counts) = library.end("the library").await;
    for (index, tab) in opened.into_iter().enumerate() {
        let who = format!("tab {index}");
        let (tab, heard) = tab.end(&who).await;
        drawn_once(&tab, &who);
        let connections = heard.connections.len();
        assert_eq!(connections, 1, "{who} was closed");
        counts.merge(heard);
    }
    (counts, partitioned.take_calls())
}

#[tokio::test]
async fn cost_of_dashboard_tabs_is_linear() {
    let _quiet = QUIET.lock().await;
    for tabs in [1, TABS] {
        let (counts, calls) = watch(tabs).await;
        let tabs = u64::try_from(tabs).expect("a small number");
        let longest = counts.longest().as_secs();
        let most = |in_ten: u64, opening: u64| tabs * (in_ten * longest.div_ceil(10) + opening);
        let (asked, answered) = (counts.asked(), counts.answered());
        println!("{tabs} tabs for {longest} s: {asked} frames in, {answered} answers, store asked{calls}");
        assert!(asked <= most(ASKED_IN_TEN, OPENING_ASKED), "{asked} frames in");
        assert!(answered <= most(ANSWERED_IN_TEN, OPENING_ANSWERED), "{answered} answers");
        let reports = counts.sent().of("send_metrics");
        let calls_max = asked + REPORT_CALLS * reports + OPENING_CALLS * (tabs + 1);
        assert!(calls.total() <= calls_max, "{} calls where {calls_max} are the most", calls.total());
    }
}
