//! What libraries and dashboards cost: frames, replies, stored reports and DynamoDB calls, with and without doubled
//! reports, and for a hundred tabs.

use std::time::Duration;

use fastrand::Rng;
use tokio::time::sleep;

use super::{counted, drawn_once, owner_of, start_library, start_tab};
use crate::compat::{Copies, FrameCounts, Library};
use crate::system::harness::{App, Client, DynamoDbCalls, PartitionedGateway, QUIET};

/// Duration of the measurements of doubled reports and of tabs.
const PHASE: Duration = Duration::from_secs(8);
const LONG_PHASE: Duration = Duration::from_secs(14);
/// The library reports four times a second.
const PACE: u32 = 4;
/// Time after which every frame has been handled.
const SETTLED: Duration = Duration::from_secs(2);
const TABS: usize = 100;
const TABS_AT_ONCE: usize = 10;
/// Most frames in ten seconds of a tab and a library together, without reports: requests and replies.
const ASKED_IN_TEN: u64 = 15;
const ANSWERED_IN_TEN: u64 = 5;
/// Requests and replies of a tab when it opens.
const OPENING_ASKED: u64 = 6;
const OPENING_ANSWERED: u64 = 4;
/// Most DynamoDB calls when a tab or a library opens and closes, its first report included, and for a frame of reports; any
/// other frame may cost one.
const OPENING_CALLS: u64 = 16;
const REPORT_CALLS: u64 = 3;
const WRITES: [&str; 2] = ["PutItem", "TransactWriteItems"];

/// The counts of one measurement.
struct PhaseCost {
    reported: u64,
    frames: u64,
    answers: u64,
    shown: u64,
    counted: u64,
    calls: DynamoDbCalls,
}

/// Runs a library and a tab for one measurement.
async fn run_phase(copies: Copies) -> PhaseCost {
    // No rollup is computed meanwhile, so that all DynamoDB calls are caused by frames.
    let partitioned = PartitionedGateway::start(&["--stream-window", "300"]).await;
    let app = App::create_legacy(partitioned.gateway()).await;
    let tab = start_tab(&partitioned, owner_of(&app), 1);
    tab.wait_until("authentication", |tab| tab.is_authenticated).await;
    let mut viewer = Client::viewer(partitioned.gateway(), &app).await;
    partitioned.take_calls();
    let library = start_library(&partitioned, Library::new(owner_of(&app), copies), PACE);
    library.wait_until("authentication of the library", |library| library.is_authenticated).await;
    sleep(PHASE).await;
    let (library, sent) = library.end("the library").await;
    sleep(SETTLED).await;
    let calls = partitioned.take_calls();
    let (tab, received) = tab.end("the tab").await;
    let shown = u64::try_from(drawn_once(&tab, "the tab").len()).expect("a count");
    assert_eq!(u64::try_from(tab.drawn.len()).expect("a count"), shown, "the tab drew a copy");
    viewer.round_trip().await;
    assert_eq!(
        u64::try_from(viewer.remaining("metrics")).expect("a count"),
        shown,
        "a viewer beside it differs"
    );
    let counted = counted(partitioned.gateway(), &app).await;
    let answers = sent.answered() + received.answered();
    PhaseCost {
        reported: library.reported,
        frames: sent.sent().of("send_metrics"),
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
            "{} reports sent {name}: {} frames, {} answers, {} shown, {} counted, {writes} writes, DynamoDB calls{}",
            cost.reported, cost.frames, cost.answers, cost.shown, cost.counted, cost.calls
        );
        assert!(cost.reported > 0 && cost.frames <= copies * cost.reported);
        assert_eq!((cost.shown, cost.counted), (cost.reported, cost.reported), "sent {name}");
        // Conflicts are retried.
        assert!(writes <= 2 * cost.frames, "{writes} writes for {} frames", cost.frames);
        // Only the copy that is stored reads the subscribers.
        let asked_who_watches = cost.calls.on("Connections", &["Query"]);
        assert!(asked_who_watches <= cost.reported + OPENING_ASKED, "{}", cost.calls);
    }
}

/// Runs a library and this many tabs; returns their frames and the DynamoDB calls.
async fn watch(tabs: usize) -> (FrameCounts, DynamoDbCalls) {
    let partitioned = PartitionedGateway::start(&["--stream-window", "300"]).await;
    let app = App::create_legacy(partitioned.gateway()).await;
    partitioned.take_calls();
    let copies = Copies::Two(Rng::with_seed(5));
    let library = start_library(&partitioned, Library::new(owner_of(&app), copies), 1);
    let mut opened = Vec::new();
    // A few at a time, so that a slow machine can open them.
    while opened.len() < tabs {
        let few = (opened.len()..tabs).take(TABS_AT_ONCE);
        let few: Vec<_> = few.map(|_| start_tab(&partitioned, owner_of(&app), 1)).collect();
        for tab in &few {
            tab.wait_until("report", |tab| !tab.drawn.is_empty()).await;
        }
        opened.extend(few);
    }
    sleep(LONG_PHASE).await;
    let (_, mut counts) = library.end("the library").await;
    for (index, tab) in opened.into_iter().enumerate() {
        let who = format!("tab {index}");
        let (tab, received) = tab.end(&who).await;
        drawn_once(&tab, &who);
        let connections = received.connections.len();
        assert_eq!(connections, 1, "{who} was closed");
        counts.merge(received);
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
        println!("{tabs} tabs for {longest} s: {asked} frames in, {answered} answers, DynamoDB calls{calls}");
        assert!(asked <= most(ASKED_IN_TEN, OPENING_ASKED), "{asked} frames in");
        assert!(answered <= most(ANSWERED_IN_TEN, OPENING_ANSWERED), "{answered} answers");
        let reports = counts.sent().of("send_metrics");
        let calls_max = asked + REPORT_CALLS * reports + OPENING_CALLS * (tabs + 1);
        assert!(calls.total() <= calls_max, "{} calls where {calls_max} are the most", calls.total());
    }
}
