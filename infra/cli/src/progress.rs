//! A bar on the terminal for work of known length. Elsewhere than on a terminal nothing is drawn.

use crate::console::Console;
use std::cell::Cell;

/// Characters of a full bar.
const WIDTH: usize = 30;

/// How far a piece of work is. Its line is gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Progress<'a> {
    console: &'a Console,
    what: &'static str,
    total: usize,
    done: Cell<usize>,
}

impl<'a> Progress<'a> {
    /// Work of `total` steps that has not begun.
    pub(crate) fn start(console: &'a Console, what: &'static str, total: usize) -> Self {
        Self { console, what, total, done: Cell::new(0) }
    }

    /// One more step is done.
    pub(crate) fn step(&self) {
        let done = self.done.get() + 1;
        self.done.set(done);
        self.console.draw(&format!("{} {}", self.what, bar(done, self.total)));
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.console.draw("");
    }
}

fn bar(done: usize, total: usize) -> String {
    let full = (done * WIDTH).checked_div(total).unwrap_or(WIDTH).min(WIDTH);
    format!("{}{} {done}/{total}", "█".repeat(full), "░".repeat(WIDTH - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_wide_at_its_start_as_at_its_end() {
        let width = |done, total| bar(done, total).split(' ').next().unwrap().chars().count();
        assert_eq!([width(0, 3), width(2, 3), width(3, 3), width(0, 0), width(9, 3)], [WIDTH; 5]);
        assert!(bar(1, 2).ends_with("░ 1/2"));
    }
}
