//! How many processes a function needs: a pure decision from a census.
//!
//! Lambda's rule, scaled down: a caller that finds no idle process gets a fresh one, up to a limit; beyond that
//! callers wait. Idle processes end after a while, all but one.

use std::time::Duration;

/// How a pool may grow and shrink.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolLimits {
    /// Most processes of one function.
    pub(crate) max: usize,
    /// Processes that stay although idle.
    pub(crate) keep: usize,
    /// How long a process beyond `keep` may be idle.
    pub(crate) idle_for: Duration,
}

/// What a pool consists of at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    /// Callers without a process.
    pub(crate) waiting: usize,
    /// Processes that have not asked for work yet.
    pub(crate) starting: usize,
    pub(crate) idle: usize,
    pub(crate) busy: usize,
}

impl Census {
    fn processes(self) -> usize {
        self.starting + self.idle + self.busy
    }
}

/// How many processes to start at once.
pub(crate) fn to_start(census: Census, limits: PoolLimits) -> usize {
    let unserved = census.waiting.saturating_sub(census.idle + census.starting);
    unserved.min(limits.max.saturating_sub(census.processes()))
}

/// How many of the idle processes to end; `idle_for` holds how long each has been idle, longest first.
pub(crate) fn to_end(census: Census, limits: PoolLimits, idle_for: &[Duration]) -> usize {
    let spare = census.processes().saturating_sub(limits.keep);
    idle_for.iter().take(spare).filter(|idle| **idle >= limits.idle_for).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PoolLimits = PoolLimits { max: 4, keep: 1, idle_for: Duration::from_secs(60) };

    fn census(waiting: usize, starting: usize, idle: usize, busy: usize) -> Census {
        Census { waiting, starting, idle, busy }
    }

    #[test]
    fn each_unserved_caller_gets_a_process_up_to_the_limit() {
        assert_eq!(to_start(census(1, 0, 0, 0), LIMITS), 1);
        assert_eq!(to_start(census(3, 1, 0, 1), LIMITS), 2);
        assert_eq!(to_start(census(9, 0, 0, 2), LIMITS), 2);
        assert_eq!(to_start(census(9, 0, 0, 4), LIMITS), 0);
    }

    #[test]
    fn nothing_starts_while_processes_suffice() {
        assert_eq!(to_start(census(0, 0, 0, 0), LIMITS), 0);
        assert_eq!(to_start(census(2, 1, 1, 0), LIMITS), 0);
        assert_eq!(to_start(census(1, 2, 0, 0), LIMITS), 0);
    }

    #[test]
    fn old_idle_processes_end_but_one_stays() {
        let old = Duration::from_secs(60);
        let fresh = Duration::from_secs(59);
        assert_eq!(to_end(census(0, 0, 3, 0), LIMITS, &[old, old, old]), 2);
        assert_eq!(to_end(census(0, 0, 3, 0), LIMITS, &[old, fresh, fresh]), 1);
        assert_eq!(to_end(census(0, 0, 1, 0), LIMITS, &[old]), 0);
        assert_eq!(to_end(census(0, 0, 2, 1), LIMITS, &[old, old]), 2);
        assert_eq!(to_end(census(0, 0, 0, 0), LIMITS, &[]), 0);
    }
}
