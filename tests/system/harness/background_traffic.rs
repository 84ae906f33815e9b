//! A publisher and a viewer that keep exchanging reports while a test does its worst beside them.
//! Each report must be acknowledged and delivered before the next is sent; one that is lost fails the test.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinHandle;

use super::{App, Client, Gateway};

/// Fewer exchanges than this would prove nothing.
const REPORTS_MIN: u64 = 3;

pub(crate) struct BackgroundTraffic {
    stop: Arc<AtomicBool>,
    exchange: JoinHandle<u64>,
}

impl BackgroundTraffic {
    pub(crate) async fn start(gateway: &Gateway) -> Self {
        let app = App::create(gateway).await;
        let mut viewer = Client::viewer(gateway, &app).await;
        let mut publisher = Client::authenticated(gateway, &app).await;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let exchange = tokio::spawn(async move {
            let mut exchanged = 0;
            while exchanged < REPORTS_MIN || !stopped.load(Ordering::Relaxed) {
                let ack = publisher.publish(&app, exchanged).await;
                assert_eq!(ack["accepted"], 1, "a bystander's report was refused: {ack}");
                viewer.next_report(exchanged).await;
                exchanged += 1;
            }
            assert_eq!(publisher.untaken("error") + viewer.untaken("error"), 0, "a bystander got an error");
            exchanged
        });
        Self { stop, exchange }
    }

    /// Ends the exchange and passes on its failure, if it failed.
    pub(crate) async fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.exchange.await.expect("the background exchanged every report");
    }
}
