//! A publisher and a viewer that exchange reports while a test disturbs the service.
//! Each report must be acknowledged and delivered before the next is sent; a lost one fails the test.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinHandle;

use super::{App, Client, Gateway};

/// Fewest exchanged reports.
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
                assert_eq!(ack["accepted"], 1, "a background report was rejected: {ack}");
                viewer.next_report(exchanged).await;
                exchanged += 1;
            }
            assert_eq!(
                publisher.remaining("error") + viewer.remaining("error"),
                0,
                "background traffic got an error"
            );
            exchanged
        });
        Self { stop, exchange }
    }

    /// Stops the exchange; panics if it failed.
    pub(crate) async fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.exchange.await.expect("background traffic lost no report");
    }
}
