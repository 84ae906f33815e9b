//! What a library and its dashboard cost: frames, answers, stored reports and calls of the store, with and without
//! the doubling, and for a hundred tabs.

use std::time::Duration;

use tokio::time::sleep;

use super::{counted, drawn_once, legacy_app, owner_of, page, program};
use crate::compat::{Copies, Dashboard, Dice, Library, Life, Tally};
use crate::system::harness::{Cabled, Calls, Client, QUIET};

/// For how long the doubling is counted, and the tabs are.
const SPELL: Duration = Duration::from_secs(8);
const LONG_SPELL: Duration = Duration::from_secs(14);
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
/// Calls of the store that a tab's opening may cost, and a frame of reports; any other frame may cost one.
const OPENING_CALLS: u64 = 12;
const REPORT_CALLS: u64 = 3;
const WRITES: [&str; 2] = ["PutItem", "TransactWriteItems"];

/// What one spell cost.
struct Bill {
    reported: u64,
    frames: u64,
    answers: u64,
    shown: u64,
    counted: u64,
    calls: Calls,
}

/// A library and a tab, each at its own pace, for one spell.
async fn spell(copies: Copies) -> Bill {
    // No rollup is computed meanwhile, so that what the store is asked is due to frames alone.
    let cabled = Cabled::start(&["--stream-window", "300"]).await;
    let app = legacy_app(cabled.gateway()).await;
    let tab = Life::begin(Dashboard::new(owner_of(&app)), &page(cabled.address(), 1));
    tab.until("welcome", Dashboard::is_welcome).await;
    let mut viewer = Client::viewer(cabled.gateway(), &app).await;
    cabled.take_calls();
    let library = Life::begin(Library::new(owner_of(&app), copies), &program(cabled.address(), PACE));
    library.until("welcome of the library", Library::is_welcome).await;
    sleep(SPELL).await;
    let (library, said) = library.end("the library").await;
    sleep(SETTLED).await;
    let calls = cabled.take_calls();
    let (tab, heard) = tab.end("the tab").await;
    let shown = u64::try_from(drawn_once(&tab, "the tab").len()).expect("a count");
    assert_eq!(u64::try_from(tab.shown().len()).expect("a count"), shown, "the tab drew a copy");
    viewer.round_trip().await;
    assert_eq!(
        u64::try_from(viewer.untaken("metrics")).expect("a count"),
        shown,
        "a viewer beside it differs"
    );
    let counted = counted(cabled.gateway(), &app).await;
    let answers = said.answered() + heard.answered();
    Bill {
        reported: library.reported(),
        frames: said.sent().of("send_metrics"),
        answers,
        shown,
        counted,
        calls,
    }
}

#[tokio::test]
async fn a_doubled_report_is_stored_counted_and_shown_once() {
    let _quiet = QUIET.lock().await;
    let once = spell(Copies::One).await;
    let twice = spell(Copies::Two(Dice::new(11))).await;
    for (bill, name, copies) in [(&once, "once", 1), (&twice, "twice over", 2)] {
        let writes = bill.calls.on("Reports", &WRITES);
        println!(
            "{} reports sent {name}: {} frames, {} answers, {} shown, {} counted, {writes} writes, store asked{}",
            bill.reported, bill.frames, bill.answers, bill.shown, bill.counted, bill.calls
        );
        assert!(bill.reported > 0 && bill.frames <= copies * bill.reported);
        assert_eq!((bill.shown, bill.counted), (bill.reported, bill.reported), "sent {name}");
        // The retries of a conflict come on top.
        assert!(writes <= 2 * bill.frames, "{writes} writes for {} frames", bill.frames);
        // Only the winner of two copies asks who watches.
        let asked_who_watches = bill.calls.on("Connections", &["Query"]);
        assert!(asked_who_watches <= bill.reported + OPENING_ASKED, "{}", bill.calls);
    }
}

/// Lets so many tabs watch a library, and returns what they said and heard, and what the store was asked.
async fn watch(tabs: usize) -> (Tally, Calls) {
    let cabled = Cabled::start(&["--stream-window", "300"]).await;
    let app = legacy_app(cabled.gateway()).await;
    cabled.take_calls();
    let copies = Copies::Two(Dice::new(5));
    let library = Life::begin(Library::new(owner_of(&app), copies), &program(cabled.address(), 1));
    let front = page(cabled.address(), 1);
    let mut opened = Vec::new();
    // A few at a time: what is measured is what tabs cost, not how many a laptop's gateway can let in at once.
    while opened.len() < tabs {
        let few = (opened.len()..tabs).take(TABS_AT_ONCE);
        let few: Vec<_> = few.map(|_| Life::begin(Dashboard::new(owner_of(&app)), &front)).collect();
        for tab in &few {
            tab.until("report", |tab| !tab.shown().is_empty()).await;
        }
        opened.extend(few);
    }
    sleep(LONG_SPELL).await;
    let (_, mut tally) = library.end("the library").await;
    for (index, tab) in opened.into_iter().enumerate() {
        let who = format!("tab {index}");
        let (tab, heard) = tab.end(&who).await;
        drawn_once(&tab, &who);
        let connections = heard.connections.len();
        assert_eq!(connections, 1, "{who} was closed");
        tally.merge(heard);
    }
    (tally, cabled.take_calls())
}

#[tokio::test]
async fn a_hundred_tabs_cost_a_hundred_times_what_one_costs_and_not_more() {
    let _quiet = QUIET.lock().await;
    for tabs in [1, TABS] {
        let (tally, calls) = watch(tabs).await;
        let tabs = u64::try_from(tabs).expect("a small number");
        let longest = tally.longest().as_secs();
        let most = |in_ten: u64, opening: u64| tabs * (in_ten * longest.div_ceil(10) + opening);
        let (asked, answered) = (tally.asked(), tally.answered());
        println!("{tabs} tabs for {longest} s: {asked} frames in, {answered} answers, store asked{calls}");
        assert!(asked <= most(ASKED_IN_TEN, OPENING_ASKED), "{asked} frames in");
        assert!(answered <= most(ANSWERED_IN_TEN, OPENING_ANSWERED), "{answered} answers");
        let reports = tally.sent().of("send_metrics");
        let calls_max = asked + REPORT_CALLS * reports + OPENING_CALLS * (tabs + 1);
        assert!(calls.total() <= calls_max, "{} calls where {calls_max} are the most", calls.total());
    }
}
