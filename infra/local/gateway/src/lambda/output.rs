//! A child's output, line by line: forwarded to the console, with the last lines kept for error messages.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Child;
use tokio::task::JoinHandle;

use crate::console::{Channel, Console};

/// Enough for a panic with its message, few enough to print.
const TAIL_LINES: usize = 12;
/// How long to wait for the output of a child that ended: a grandchild may keep the pipe open.
const TAIL_TIMEOUT: Duration = Duration::from_millis(500);

/// The outputs of one child.
#[derive(Debug)]
pub(crate) struct ChildOutput {
    tail: Arc<Mutex<VecDeque<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl ChildOutput {
    /// Reads the outputs of `child`, whose lines are printed and logged with `name`. Lines of stderr count as lines of
    /// `stderr`, which is stdout for a child that reports its progress there.
    pub(crate) fn follow(child: &mut Child, name: &str, stderr: Channel, console: &Arc<Console>) -> Self {
        let mut output = Self { tail: Arc::default(), readers: Vec::new() };
        if let Some(stream) = child.stdout.take() {
            output.read(stream, Channel::Stdout, name, console);
        }
        if let Some(stream) = child.stderr.take() {
            output.read(stream, stderr, name, console);
        }
        output
    }

    fn read(
        &mut self,
        stream: impl AsyncRead + Unpin + Send + 'static,
        channel: Channel,
        name: &str,
        console: &Arc<Console>,
    ) {
        let (tail, name, console) = (Arc::clone(&self.tail), name.to_owned(), Arc::clone(console));
        self.readers.push(tokio::spawn(async move {
            let mut reader = BufReader::new(stream);
            let mut line = Vec::new();
            while matches!(reader.read_until(b'\n', &mut line).await, Ok(length) if length > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                console.child_line(&name, channel, &text);
                if text.is_empty() {
                    continue;
                }
                let mut tail = tail.lock();
                if tail.len() == TAIL_LINES {
                    tail.pop_front();
                }
                tail.push_back(text);
            }
        }));
    }

    /// The last lines of a child that has ended.
    pub(crate) async fn last_lines(&mut self) -> Vec<String> {
        for reader in &mut self.readers {
            drop(tokio::time::timeout(TAIL_TIMEOUT, reader).await);
        }
        self.readers.clear();
        self.tail.lock().iter().cloned().collect()
    }
}
