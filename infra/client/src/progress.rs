//! Progress bar on stderr, drawn only on a terminal.

use crate::console::Console;
use std::cell::Cell;

/// Characters of a full bar.
const WIDTH: usize = 30;

/// The progress of one task. The bar is erased when it is dropped.
#[derive(Debug)]
pub struct Progress<'a> {
    console: &'a Console,
    task: String,
    total: u64,
    done: Cell<u64>,
}

impl<'a> Progress<'a> {
    /// The progress of a task of `total` steps.
    pub fn start(console: &'a Console, task: &str, total: u64) -> Self {
        Self { console, task: task.to_owned(), total, done: Cell::new(0) }
    }

    /// Counts one step.
    pub fn step(&self) {
        let done = self.done.get() + 1;
        self.set(done, &format!("{done}/{}", self.total));
    }

    /// Sets the number of steps done and the text after the bar.
    pub fn set(&self, done: u64, text: &str) {
        self.done.set(done);
        self.console.draw(&format!("{} {} {text}", self.task, bar(done, self.total)));
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.console.draw("");
    }
}

fn bar(done: u64, total: u64) -> String {
    let full = (done * WIDTH as u64).checked_div(total).and_then(|full| usize::try_from(full).ok());
    let full = full.unwrap_or(WIDTH).min(WIDTH);
    format!("{}{}", "█".repeat(full), "░".repeat(WIDTH - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bar_has_the_same_width_at_any_progress() {
        let widths =
            [(0, 3), (2, 3), (3, 3), (0, 0), (9, 3)].map(|(done, total)| bar(done, total).chars().count());
        assert_eq!(widths, [WIDTH; 5]);
        assert!(bar(1, 2).starts_with('█') && bar(1, 2).ends_with('░'));
    }
}
