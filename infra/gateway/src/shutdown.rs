//! Ctrl-C and SIGTERM: the first one drains, the second one ends at once.

use tokio::signal::unix::{SignalKind, signal};

/// The exit status of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Resolves at the first signal; from then on another one ends the process, and the kernel its children.
pub async fn signalled() {
    next_signal().await;
    tokio::spawn(async {
        next_signal().await;
        std::process::exit(INTERRUPTED);
    });
}

async fn next_signal() {
    let Ok(mut terminated) = signal(SignalKind::terminate()) else {
        drop(tokio::signal::ctrl_c().await);
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
}
