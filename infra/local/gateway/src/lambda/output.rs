//! What a child writes, line by line: passed to the console, the last lines kept for the case that it dies.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Child;
use tokio::task::JoinHandle;

use crate::console::{Channel, Console};

/// Lines kept: enough for a panic with its message, few enough to print.
const KEPT_LINES: usize = 12;
/// How long a dead child's last lines are waited for; a grandchild may hold the pipe open for ever.
const LAST_LINES: std::time::Duration = std::time::Duration::from_millis(500);

/// What a child's stderr means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stderr {
    /// What is no log line is a complaint: a panic's message.
    Complaints,
    /// The child reports its progress there.
    Progress,
}

/// The outputs of one child.
#[derive(Debug)]
pub(crate) struct Output {
    kept: Arc<Mutex<VecDeque<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Output {
    /// Takes the outputs of `child`, which is called `name` wherever its lines appear.
    pub(crate) fn follow(child: &mut Child, name: &str, meaning: Stderr, console: &Arc<Console>) -> Self {
        let kept = Arc::new(Mutex::new(VecDeque::new()));
        let mut readers = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            let (kept, console) = (Arc::clone(&kept), Arc::clone(console));
            readers.push(tokio::spawn(read(stdout, Channel::Stdout, name.to_owned(), kept, console)));
        }
        if let Some(stderr) = child.stderr.take() {
            let (kept, console) = (Arc::clone(&kept), Arc::clone(console));
            let channel = match meaning {
                Stderr::Complaints => Channel::Stderr,
                Stderr::Progress => Channel::Stdout,
            };
            readers.push(tokio::spawn(read(stderr, channel, name.to_owned(), kept, console)));
        }
        Self { kept, readers }
    }

    /// The last lines of a child that has ended.
    pub(crate) async fn last_lines(&mut self) -> Vec<String> {
        for reader in &mut self.readers {
            drop(tokio::time::timeout(LAST_LINES, reader).await);
        }
        self.readers.clear();
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

async fn read(
    stream: impl AsyncRead + Unpin,
    channel: Channel,
    name: String,
    kept: Arc<Mutex<VecDeque<String>>>,
    console: Arc<Console>,
) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while matches!(reader.read_until(b'\n', &mut line).await, Ok(length) if length > 0) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        console.child_line(&name, channel, &text);
        if text.is_empty() {
            continue;
        }
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT_LINES {
            kept.pop_front();
        }
        kept.push_back(text);
    }
}
