//! The calls of one test environment in the order of arrival, to tables and connections together.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::call::{Call, ConsumedCapacity};

/// How long a test waits for calls before it fails: generous, because machines under load are slow.
const WAIT_TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Default)]
pub(crate) struct CallLog {
    calls: Arc<Mutex<Vec<Call>>>,
    consumed: Arc<Mutex<Vec<ConsumedCapacity>>>,
    added: Arc<Notify>,
}

impl CallLog {
    pub(crate) fn add(&self, call: Call) {
        self.calls.lock().push(call);
        self.added.notify_waiters();
    }

    pub(crate) fn add_consumed(&self, consumed: ConsumedCapacity) {
        self.consumed.lock().push(consumed);
    }

    pub(crate) fn take_consumed(&self) -> Vec<ConsumedCapacity> {
        std::mem::take(&mut *self.consumed.lock())
    }

    pub(crate) fn all(&self) -> Vec<Call> {
        self.calls.lock().clone()
    }

    pub(crate) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock())
    }

    /// Waits until the calls satisfy `enough`.
    pub(crate) async fn wait(&self, enough: impl Fn(&[Call]) -> bool) {
        let satisfied = async {
            loop {
                let added = self.added.notified();
                tokio::pin!(added);
                added.as_mut().enable();
                if enough(&self.calls.lock()) {
                    return;
                }
                added.await;
            }
        };
        if tokio::time::timeout(WAIT_TIMEOUT, satisfied).await.is_err() {
            panic!("the expected calls were not made: {:#?}", self.all());
        }
    }
}
