//! Ctrl-C and SIGTERM: the first one drains the gateway, the second one ends it at once.

use tokio::signal::unix::{SignalKind, signal};

/// The exit status of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Resolves at the first signal. After that another signal ends the process, and the kernel kills its children.
pub async fn shutdown_signal() {
    next_signal().await;
    tokio::spawn(async {
        next_signal().await;
        std::process::exit(INTERRUPTED);
    });
}

async fn next_signal() {
    tokio::select! {
        () = signal_of(SignalKind::interrupt()) => {}
        () = signal_of(SignalKind::terminate()) => {}
    }
}

/// Waits for a signal of one kind; never resolves if the system does not let it be caught.
async fn signal_of(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signals) => drop(signals.recv().await),
        Err(_) => std::future::pending().await,
    }
}
