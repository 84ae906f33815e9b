//! Every call of one test environment in the order of arrival, tables and connections together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::call::{Call, ConsumedCapacity};

/// How long a test waits for calls before it fails: generous, for a slow machine must not fail a sound function.
const PATIENCE: Duration = Duration::from_secs(20);

/// The calls so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallLog {
    calls: Arc<Mutex<Vec<Call>>>,
    spent: Arc<Mutex<Vec<ConsumedCapacity>>>,
    written: Arc<Notify>,
}

impl CallLog {
    pub(crate) fn note(&self, call: Call) {
        self.calls().push(call);
        self.written.notify_waiters();
    }

    pub(crate) fn charge(&self, spent: ConsumedCapacity) {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner).push(spent);
    }

    /// What was charged since the last time.
    pub(crate) fn take_consumed(&self) -> Vec<ConsumedCapacity> {
        std::mem::take(&mut *self.spent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn all(&self) -> Vec<Call> {
        self.calls().clone()
    }

    /// The calls since the last time, and an empty journal.
    pub(crate) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls())
    }

    /// Waits until `enough` holds of the calls.
    pub(crate) async fn wait(&self, enough: impl Fn(&[Call]) -> bool) {
        let held = async {
            loop {
                let written = self.written.notified();
                tokio::pin!(written);
                written.as_mut().enable();
                if enough(&self.calls()) {
                    return;
                }
                written.await;
            }
        };
        if tokio::time::timeout(PATIENCE, held).await.is_err() {
            panic!("the calls that were waited for did not come: {:#?}", self.all());
        }
    }

    fn calls(&self) -> MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
