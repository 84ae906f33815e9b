//! Graceful shutdown on SIGINT and SIGTERM.

use anyhow::Context as _;
use tokio::sync::watch;

/// Resolves once the process was asked to end.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Handles the signals from now on, in place of their default action.
    pub(crate) fn on_signals() -> anyhow::Result<Self> {
        let (sender, receiver) = watch::channel(false);
        let signal = first_signal().context("cannot handle signals")?;
        tokio::spawn(async move {
            signal.await;
            // Without a receiver the command has ended already.
            let _ = sender.send(true);
        });
        Ok(Self(receiver))
    }

    /// Returns once a signal has arrived, at once if one has already.
    pub(crate) async fn requested(&mut self) {
        if self.0.wait_for(|requested| *requested).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(unix)]
fn first_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn first_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        let _ = interrupt.recv().await;
    })
}
