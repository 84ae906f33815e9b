//! The user's wish to end: SIGINT or SIGTERM, seen once and remembered.

use anyhow::Context as _;
use tokio::sync::watch;

/// Resolves once the user wants the command to end.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Listens for the signals from here on; their default action (a sudden end) no longer happens.
    pub(crate) fn on_signals() -> anyhow::Result<Self> {
        let (sender, receiver) = watch::channel(false);
        let signals = Signals::listen().context("cannot listen for signals")?;
        tokio::spawn(async move {
            signals.first().await;
            // Nobody listening means that the command has ended already.
            let _ = sender.send(true);
        });
        Ok(Self(receiver))
    }

    /// Returns as soon as the end is wished for, at once if it already was.
    pub(crate) async fn wished(&mut self) {
        if self.0.wait_for(|wished| *wished).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn first(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(not(unix))]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn first(mut self) {
        let _ = self.0.recv().await;
    }
}
