//! The pools of all functions: each a task that owns its processes and the callers that wait for them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::invoke::InvokeError;
use super::pool::{self, Census, PoolLimits};
use super::process::{self, Job, Launch, ProcessNumber};

/// How often pools look for processes that have been idle too long.
const SWEEP_EVERY: Duration = Duration::from_millis(500);

/// What a pool is told.
#[derive(Debug)]
pub(crate) enum PoolMessage {
    Invoke(Job),
    /// Start one process at once and tell how that went.
    Warm(oneshot::Sender<Result<(), String>>),
    /// The process waits for work.
    Idle {
        number: ProcessNumber,
    },
    /// The process has ended; `returned` is a job that it never began.
    Gone {
        number: ProcessNumber,
        returned: Option<Job>,
        init_fault: Option<String>,
    },
    /// End all processes once nobody waits and nothing runs.
    Stop,
}

/// All pools by the function's logical id.
#[derive(Debug)]
pub(crate) struct Fleet {
    pools: BTreeMap<String, mpsc::UnboundedSender<PoolMessage>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Fleet {
    /// Starts one process of each function and waits until all are initialised.
    pub(crate) async fn start(launches: Vec<Launch>, limits: PoolLimits) -> anyhow::Result<Self> {
        let mut pools = BTreeMap::new();
        let mut tasks = Vec::new();
        let mut warm = Vec::new();
        for launch in launches {
            let function = launch.function.logical_id.clone();
            let (messages, inbox) = mpsc::unbounded_channel();
            let (outcome, started) = oneshot::channel();
            drop(messages.send(PoolMessage::Warm(outcome)));
            warm.push((function.clone(), started));
            let pool = Pool::new(launch, limits, messages.clone());
            tasks.push(tokio::spawn(pool.run(inbox)));
            pools.insert(function, messages);
        }
        let fleet = Self { pools, tasks: Mutex::new(tasks) };
        for (function, started) in warm {
            let outcome = started.await.unwrap_or_else(|_| Err("its pool ended".into()));
            if let Err(fault) = outcome {
                fleet.stop().await;
                anyhow::bail!("function {function} failed to start: {fault}");
            }
        }
        Ok(fleet)
    }

    pub(crate) async fn invoke(&self, function: &str, event: Bytes) -> Result<Bytes, InvokeError> {
        let lost = || InvokeError::Unavailable(format!("function {function} is not running"));
        let pool = self.pools.get(function).ok_or_else(lost)?;
        let (reply, result) = oneshot::channel();
        pool.send(PoolMessage::Invoke(Job { event, reply })).map_err(|_| lost())?;
        result.await.unwrap_or_else(|_| Err(lost()))
    }

    /// Ends all processes, after the invocations under way.
    pub(crate) async fn stop(&self) {
        for pool in self.pools.values() {
            // A pool that is gone has nothing to end.
            drop(pool.send(PoolMessage::Stop));
        }
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            drop(task.await);
        }
    }
}

struct Pool {
    launch: Arc<Launch>,
    limits: PoolLimits,
    /// For the processes to report to.
    messages: mpsc::UnboundedSender<PoolMessage>,
    waiting: VecDeque<Job>,
    processes: HashMap<ProcessNumber, mpsc::Sender<Job>>,
    starting: BTreeSet<ProcessNumber>,
    /// Longest idle first; work goes to the last, so that the others can age.
    idle: Vec<(ProcessNumber, Instant)>,
    warm: Option<oneshot::Sender<Result<(), String>>>,
    next_number: ProcessNumber,
    stopping: bool,
}

impl Pool {
    fn new(launch: Launch, limits: PoolLimits, messages: mpsc::UnboundedSender<PoolMessage>) -> Self {
        Self {
            launch: Arc::new(launch),
            limits,
            messages,
            waiting: VecDeque::new(),
            processes: HashMap::new(),
            starting: BTreeSet::new(),
            idle: Vec::new(),
            warm: None,
            next_number: 0,
            stopping: false,
        }
    }

    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<PoolMessage>) {
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        loop {
            tokio::select! {
                message = inbox.recv() => match message {
                    Some(message) => self.take(message),
                    None => return,
                },
                _ = sweep.tick() => self.shrink(),
            }
            self.serve();
            if self.stopping && self.waiting.is_empty() {
                self.end_idle();
                if self.processes.is_empty() {
                    return;
                }
            }
        }
    }

    fn take(&mut self, message: PoolMessage) {
        match message {
            PoolMessage::Invoke(job) => self.waiting.push_back(job),
            PoolMessage::Warm(outcome) => {
                self.warm = Some(outcome);
                self.start_process();
            }
            PoolMessage::Idle { number } => {
                self.starting.remove(&number);
                self.idle.push((number, Instant::now()));
                if let Some(warm) = self.warm.take() {
                    drop(warm.send(Ok(())));
                }
            }
            PoolMessage::Gone { number, returned, init_fault } => {
                self.processes.remove(&number);
                self.starting.remove(&number);
                self.idle.retain(|(idle, _)| *idle != number);
                if let Some(job) = returned {
                    self.waiting.push_front(job);
                }
                if let Some(fault) = init_fault {
                    self.init_failed(fault);
                }
            }
            PoolMessage::Stop => self.stopping = true,
        }
    }

    /// A start that failed fails the caller that it was for, so that a broken function is no endless loop.
    fn init_failed(&mut self, fault: String) {
        if let Some(warm) = self.warm.take() {
            drop(warm.send(Err(fault)));
            return;
        }
        if let Some(job) = self.waiting.pop_front() {
            let message = format!("failed to start: {fault}");
            drop(job.reply.send(Err(InvokeError::Function { message })));
        }
    }

    /// Gives work to idle processes and starts as many as are still missing.
    fn serve(&mut self) {
        // A caller that gave up while it queued is never run for.
        self.waiting.retain(|job| !job.reply.is_closed());
        while let Some((number, _)) = self.idle.last().copied().filter(|_| !self.waiting.is_empty()) {
            self.idle.pop();
            let Some(job) = self.waiting.pop_front() else { break };
            let Some(process) = self.processes.get(&number) else {
                self.waiting.push_front(job);
                continue;
            };
            if let Err(refused) = process.try_send(job) {
                // The process has just ended; its last message is under way.
                self.waiting.push_front(refused.into_inner());
            }
        }
        for _ in 0..pool::to_start(self.census(), self.limits) {
            self.start_process();
        }
    }

    fn census(&self) -> Census {
        let (starting, idle) = (self.starting.len(), self.idle.len());
        let busy = self.processes.len().saturating_sub(starting + idle);
        Census { waiting: self.waiting.len(), starting, idle, busy }
    }

    fn start_process(&mut self) {
        let number = self.next_number;
        self.next_number += 1;
        let (jobs, queue) = mpsc::channel(1);
        self.processes.insert(number, jobs);
        self.starting.insert(number);
        tokio::spawn(process::run(Arc::clone(&self.launch), number, queue, self.messages.clone()));
    }

    fn shrink(&mut self) {
        let idle_for: Vec<Duration> = self.idle.iter().map(|(_, since)| since.elapsed()).collect();
        let surplus = pool::to_end(self.census(), self.limits, &idle_for);
        let surplus: Vec<_> = self.idle.drain(..surplus.min(self.idle.len())).collect();
        for (number, _) in surplus {
            self.end_process(number);
        }
    }

    fn end_idle(&mut self) {
        for (number, _) in std::mem::take(&mut self.idle) {
            self.end_process(number);
        }
    }

    /// Closes the process's channel, on which it ends; its entry stays until it reports that it has.
    fn end_process(&mut self, number: ProcessNumber) {
        if let Some(jobs) = self.processes.get_mut(&number) {
            *jobs = mpsc::channel(1).0;
        }
    }
}
