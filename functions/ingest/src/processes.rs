//! Which process a connection of the library is, decided once by its first report (docs/SEMANTICS.md, "Sources").

use std::collections::HashSet;
use std::time::Duration;

use nsl_aws::boot::Clients;
use nsl_aws::connections_api::ConnectionsApi;
use nsl_aws::fault::Fault;
use nsl_aws::legacy::{Named, Processes};
use nsl_domain::ids::{AppId, Source};
use nsl_domain::legacy::process::{Newcomer, Process};

use crate::settings::Settings;

/// How often processes are read, because another connection became the newest of one meanwhile, or has two of them. After
/// that the process counts as a new one.
const MAX_TRIES: u32 = 12;

/// Pause before the second try after a connection had two processes, in milliseconds: the instance that lost restores one
/// of them within a few calls. It doubles each time.
const FIRST_PAUSE_MS: u64 = 10;

/// Longest such pause, in milliseconds: all of them together stay below two seconds.
const MAX_PAUSE_MS: u64 = 200;

/// Recognises processes.
#[derive(Debug)]
pub(crate) struct ProcessFinder {
    processes: Processes,
    connections_api: ConnectionsApi,
}

/// The process of a connection, and what was stored about it.
#[derive(Debug)]
pub(crate) struct Identified {
    pub(crate) source: Source,
    stored: Stored,
}

#[derive(Debug)]
enum Stored {
    /// Nothing by this call.
    Nothing,
    Added(Process),
    Replaced {
        old: Process,
        new: Process,
    },
}

impl ProcessFinder {
    pub(crate) fn new(clients: &Clients, settings: &Settings) -> Self {
        Self {
            processes: clients.processes(&settings.connections_table),
            connections_api: clients.connections_api(),
        }
    }

    /// The process of `newcomer`: one whose newest connection ended or fell silent before, or else a new one. One query; for
    /// each likely process one look at its connection, until one has ended; one write.
    pub(crate) async fn identify(&self, app: &AppId, newcomer: &Newcomer) -> Result<Identified, Fault> {
        let mut known = Vec::new();
        for attempt in 0..MAX_TRIES {
            known = self.processes.near(app, &newcomer.start, newcomer.arrival).await?;
            // Stored by another instance, which received the other copy of the report.
            if let Some(own) = known.iter().find(|process| process.connection == newcomer.connection) {
                return Ok(Identified { source: own.source.clone(), stored: Stored::Nothing });
            }
            let Some(old) = self.left_process(newcomer, &known).await? else {
                if !any_connection_has_two(&known) {
                    break;
                }
                tokio::time::sleep(pause(attempt)).await;
                continue;
            };
            let new = newcomer.as_process(old.source.clone());
            if self.processes.replace(app, &old, &new).await? {
                return Ok(Identified { source: new.source.clone(), stored: Stored::Replaced { old, new } });
            }
        }
        self.add(app, newcomer, &known).await
    }

    /// Restores what [`ProcessFinder::identify`] stored: another instance identified the same connection otherwise.
    pub(crate) async fn undo(&self, app: &AppId, identified: Identified) -> Result<(), Fault> {
        match identified.stored {
            Stored::Nothing => Ok(()),
            Stored::Added(process) => self.processes.remove(app, &process).await,
            Stored::Replaced { old, new } => self.processes.replace(app, &new, &old).await.map(drop),
        }
    }

    /// The likeliest process of `newcomer` whose newest connection ended or fell silent.
    async fn left_process(&self, newcomer: &Newcomer, known: &[Process]) -> Result<Option<Process>, Fault> {
        for process in newcomer.candidates(known.to_vec()) {
            let last_active = self.connections_api.last_active(&process.connection).await?;
            if last_active.is_none_or(|at| newcomer.follows(at)) {
                return Ok(Some(process));
            }
        }
        Ok(None)
    }

    /// Stores a new process under the first free name.
    async fn add(&self, app: &AppId, newcomer: &Newcomer, known: &[Process]) -> Result<Identified, Fault> {
        let is_free = |name: &Source| known.iter().all(|process| process.source != *name);
        for name in newcomer.start.names().filter(is_free) {
            let process = newcomer.as_process(name);
            if self.processes.add(app, &process).await? == Named::Done {
                return Ok(Identified { source: process.source.clone(), stored: Stored::Added(process) });
            }
        }
        let source = Source::of_connection(&newcomer.connection);
        Ok(Identified { source, stored: Stored::Nothing })
    }
}

/// Whether a connection is the newest of two processes: two instances received the copies of its first report at once, and
/// one of them has yet to restore its own.
fn any_connection_has_two(known: &[Process]) -> bool {
    let mut connections = HashSet::new();
    !known.iter().all(|process| connections.insert(&process.connection))
}

fn pause(attempt: u32) -> Duration {
    Duration::from_millis((FIRST_PAUSE_MS << attempt).min(MAX_PAUSE_MS))
}
