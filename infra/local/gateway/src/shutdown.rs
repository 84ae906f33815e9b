//! Ctrl-C and SIGTERM: the first one drains, the second one ends at once.

use tokio::signal::unix::{SignalKind, signal};

/// The exit status of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Resolves at the first signal; from then on another one ends the process, and the kernel its children.
pub async fn shutdown_signal() {
    next_signal().await;
    tokio::spawn(async {
        next_signal().await;
        std::process::exit(INTERRUPTED);
    });
}

async fn next_signal() {
    tokio::select! {
        () = one(SignalKind::interrupt()) => {}
        () = one(SignalKind::terminate()) => {}
    }
}

/// Waits for a signal of one kind; for ever where the system does not let it be caught.
async fn one(kind: SignalKind) {
    match signal(kind) {
        Ok(mut caught) => drop(caught.recv().await),
        Err(_) => std::future::pending().await,
    }
}
