//! The processes of one function.
//!
//! As on Lambda each process runs one invocation at a time: an invocation takes an idle process or starts one, up to
//! a limit; beyond that it waits. Idle processes are ended after a while, all but one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};

use super::error::InvokeError;
use super::process::{Launch, Process};

/// How often pools look for processes that have been idle too long.
const SWEEP_INTERVAL: Duration = Duration::from_millis(500);

/// Processes that stay although idle.
const KEPT_PROCESSES: usize = 1;

/// How a pool may grow and shrink.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolLimits {
    /// Maximum number of processes.
    pub(crate) max: u16,
    /// How long a process beyond the first may be idle.
    pub(crate) idle_for: Duration,
}

#[derive(Debug)]
pub(crate) struct Pool {
    launch: Launch,
    limits: PoolLimits,
    /// One permit for each process that may be busy.
    permits: Arc<Semaphore>,
    /// Longest idle first. Invocations take the last, so that the others can age.
    idle: Mutex<Vec<IdleProcess>>,
}

#[derive(Debug)]
struct IdleProcess {
    process: Process,
    since: Instant,
}

impl Pool {
    /// A pool with one initialised process.
    pub(crate) async fn start(launch: Launch, limits: PoolLimits) -> Result<Arc<Self>, String> {
        let process = Process::start(&launch).await?;
        let pool = Arc::new(Self {
            launch,
            limits,
            permits: Arc::new(Semaphore::new(usize::from(limits.max))),
            idle: Mutex::new(vec![IdleProcess { process, since: Instant::now() }]),
        });
        // The sweeper ends when the pool is dropped.
        let swept = Arc::downgrade(&pool);
        tokio::spawn(async move {
            while let Some(pool) = swept.upgrade() {
                pool.end_surplus();
                drop(pool);
                tokio::time::sleep(SWEEP_INTERVAL).await;
            }
        });
        Ok(pool)
    }

    /// Runs one invocation. If the future is dropped, an invocation in the queue never runs; one that has started
    /// runs to its end.
    pub(crate) async fn invoke(self: &Arc<Self>, event: Bytes) -> Result<Bytes, InvokeError> {
        let stopped = || InvokeError::Unavailable("the function is not running".to_owned());
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| stopped())?;
        let (reply, result) = oneshot::channel();
        let pool = Arc::clone(self);
        tokio::spawn(async move {
            pool.run(event, reply).await;
            drop(permit);
        });
        result.await.unwrap_or_else(|_| Err(stopped()))
    }

    async fn run(&self, event: Bytes, reply: oneshot::Sender<Result<Bytes, InvokeError>>) {
        let process = match self.take_idle() {
            Some(process) => Ok(process),
            None => Process::start(&self.launch).await,
        };
        // A caller that gave up needs no reply.
        match process {
            Ok(mut process) => {
                let invoked = process.invoke(event).await;
                drop(reply.send(invoked.result));
                if invoked.is_reusable {
                    self.idle.lock().push(IdleProcess { process, since: Instant::now() });
                } else {
                    process.end().await;
                }
            }
            Err(error) => {
                let message = format!("failed to start: {error}");
                drop(reply.send(Err(InvokeError::Function { message })));
            }
        }
    }

    fn take_idle(&self) -> Option<Process> {
        let mut idle = self.idle.lock();
        while let Some(IdleProcess { mut process, .. }) = idle.pop() {
            if !process.has_exited() {
                return Some(process);
            }
        }
        None
    }

    fn end_surplus(&self) {
        let mut idle = self.idle.lock();
        let busy = usize::from(self.limits.max).saturating_sub(self.permits.available_permits());
        let idle_for: Vec<Duration> = idle.iter().map(|idle| idle.since.elapsed()).collect();
        let surplus = surplus(busy, &idle_for, self.limits.idle_for);
        for IdleProcess { process, .. } in idle.drain(..surplus.min(idle_for.len())) {
            tokio::spawn(process.end());
        }
    }

    /// Ends all processes, after the invocations that run or wait.
    pub(crate) async fn stop(&self) {
        // Permits are granted in order, so this waits for every earlier invocation.
        if let Ok(all) = self.permits.acquire_many(u32::from(self.limits.max)).await {
            all.forget();
        }
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock());
        join_all(idle.into_iter().map(|idle| idle.process.end())).await;
    }
}

/// How many of the idle processes to end; `idle_for` has how long each has been idle, longest first.
fn surplus(busy: usize, idle_for: &[Duration], limit: Duration) -> usize {
    let spare = (busy + idle_for.len()).saturating_sub(KEPT_PROCESSES);
    idle_for.iter().take(spare).filter(|idle| **idle >= limit).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_idle_processes_end_but_one_stays() {
        let old = Duration::from_secs(60);
        let fresh = Duration::from_secs(59);
        assert_eq!(surplus(0, &[old, old, old], old), 2);
        assert_eq!(surplus(0, &[old, fresh, fresh], old), 1);
        assert_eq!(surplus(0, &[old], old), 0);
        assert_eq!(surplus(1, &[old, old], old), 2);
        assert_eq!(surplus(0, &[], old), 0);
    }
}
