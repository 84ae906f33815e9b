//! Many publishers in bursts and many viewers of one application: no report is lost, doubled or mixed up.

use std::collections::BTreeMap;

use tokio::task::JoinSet;

use crate::system::harness::{Client, QUIET, metrics_frame, shared_app};

const PUBLISHERS: u64 = 10;
const REPORTS_EACH: u64 = 10;
const VIEWERS: usize = 10;

#[tokio::test]
async fn ten_viewers_get_every_report_exactly_once() {
    let _quiet = QUIET.lock().await;
    let (gateway, app) = shared_app().await;
    let mut viewers = JoinSet::new();
    for _ in 0..VIEWERS {
        let mut viewer = Client::viewer(gateway, &app).await;
        viewers.spawn(async move {
            let mut times = BTreeMap::new();
            for _ in 0..PUBLISHERS * REPORTS_EACH {
                let report = viewer.next("metrics").await;
                let n = report["payload"]["metrics"]["n"].as_u64().expect("a number");
                *times.entry(n).or_insert(0) += 1;
            }
            (viewer, times)
        });
    }
    let mut publishers = JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let app = app.clone();
        publishers.spawn(async move {
            let mut client = Client::authenticated(gateway, &app).await;
            let numbers = publisher * REPORTS_EACH..(publisher + 1) * REPORTS_EACH;
            for n in numbers.clone() {
                client.send(&metrics_frame(&app, &n.to_string(), serde_json::json!({ "n": n }))).await;
            }
            for n in numbers {
                assert_eq!(client.ack(&n.to_string()).await["accepted"], 1);
            }
        });
    }
    publishers.join_all().await;
    let once: BTreeMap<u64, i32> = (0..PUBLISHERS * REPORTS_EACH).map(|n| (n, 1)).collect();
    for (mut viewer, times) in viewers.join_all().await {
        assert_eq!(times, once);
        viewer.round_trip().await;
        assert_eq!(viewer.remaining("metrics"), 0, "a report came once more");
    }
}
