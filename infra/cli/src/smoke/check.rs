//! The checks of a smoke test in the order in which they run, and where to look when one fails.

use clap::ValueEnum;
use std::collections::BTreeMap;

/// One check. Its name is its argument of `--skip`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Check {
    /// GET /health responds.
    Health,
    /// GET / is the dashboard, made for this WebSocket address.
    Dashboard,
    /// The preflight of an allowed origin is answered, that of another is not.
    Cors,
    /// A handshake with a wrong key is answered with 401.
    WrongKey,
    /// A temporary application is created, and those of interrupted runs are removed.
    App,
    /// An HTTP call with a wrong key is answered with 403.
    HttpWrongKey,
    /// A key in the subprotocol opens a connection, as in the dashboard.
    Subprotocol,
    /// A connection with a key in its handshake subscribes.
    Viewer,
    /// A connection authenticates with a frame.
    Publisher,
    /// The library's own authentication is accepted.
    Legacy,
    /// A report and a batch are acknowledged.
    Publish,
    /// The same report sent again is acknowledged.
    Duplicate,
    /// A report without metrics is rejected.
    Malformed,
    /// The viewer receives each report once, and nothing else.
    Delivery,
    /// The last report is returned at once.
    Latest,
    /// History counts each report once.
    History,
    /// A late report reaches history through the stream and a rollup.
    Rollups,
    /// A key that was removed is rejected.
    RevokedKey,
    /// Switching the application off closes its connections.
    Deactivated,
    /// The temporary application is deleted with all its data.
    Cleanup,
}

/// Where the cause of a failure can be found.
#[derive(Debug)]
pub(crate) struct Look {
    /// Logical ids of functions whose logs have it.
    pub(crate) functions: &'static [&'static str],
    /// Logical ids of alarms that it may raise.
    pub(crate) alarms: &'static [&'static str],
    /// The document that describes the behaviour, and its heading.
    pub(crate) document: (&'static str, &'static str),
}

impl Check {
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The checks that need the temporary app.
    pub(crate) fn of_app() -> Vec<Self> {
        let after = Self::value_variants().iter().copied().skip_while(|check| *check != Self::App).skip(1);
        after.filter(|check| *check != Self::Cleanup).collect()
    }

    pub(crate) fn look(self) -> Look {
        let (functions, alarms, document): (&[_], &[_], _) = match self {
            Self::Health | Self::Dashboard => (&["History"], &["ErrorsAlarm"], ("docs/PROTOCOL.md", "HTTP")),
            Self::Cors => (&[], &[], ("docs/SECURITY.md", "The dashboard's credential")),
            Self::App | Self::Cleanup => {
                (&[], &[], ("docs/SECURITY.md", "Switching an app off, deleting it"))
            }
            Self::WrongKey | Self::Subprotocol => (&["Authorize"], &[], ("docs/PROTOCOL.md", "Connecting")),
            Self::HttpWrongKey => (&["Authorize"], &[], ("docs/PROTOCOL.md", "HTTP")),
            Self::Viewer | Self::Publisher => {
                (&["Authorize", "Session"], &["ErrorsAlarm"], ("docs/PROTOCOL.md", "Connecting"))
            }
            Self::Legacy => (&["Session"], &[], ("docs/PROTOCOL.md", "The library and its dashboard")),
            Self::Publish | Self::Duplicate | Self::Malformed => {
                (&["Ingest"], &["ErrorsAlarm"], ("docs/PROTOCOL.md", "Client to service"))
            }
            Self::Delivery => {
                (&["Ingest"], &["UndeliveredPostsAlarm"], ("docs/PROTOCOL.md", "Service to viewer"))
            }
            Self::Latest | Self::History => {
                (&["History"], &["ErrorsAlarm"], ("docs/PROTOCOL.md", "Freshness"))
            }
            Self::Rollups => {
                (&["Rollup"], &["IteratorAgeAlarm", "RollupFailuresAlarm"], ("docs/PROTOCOL.md", "Freshness"))
            }
            Self::RevokedKey => (&["Session"], &[], ("docs/SECURITY.md", "Stolen credentials")),
            Self::Deactivated => {
                (&["Session"], &[], ("docs/SECURITY.md", "Switching an app off, deleting it"))
            }
        };
        Look { functions, alarms, document }
    }
}

impl Look {
    /// One line for the service of this stack with its outputs, or for a local gateway.
    pub(crate) fn line(&self, stack: Option<&str>, outputs: &BTreeMap<String, String>) -> String {
        let mut places = Vec::new();
        for function in self.functions {
            let group = outputs.get(&format!("{function}Log"));
            places.push(match (stack, group) {
                (Some(_), Some(group)) => format!("the log group {group} (aws logs tail {group} --since 10m)"),
                (Some(stack), None) => {
                    format!("the log of {function} (.venv/sam/bin/sam logs --stack-name {stack} --name {function})")
                }
                (None, _) => format!("the lines of {} in functions.log", function.to_lowercase()),
            });
        }
        if stack.is_some() {
            places.extend(self.alarms.iter().map(|alarm| format!("the alarm {alarm}")));
        }
        let (file, heading) = self.document;
        places.push(format!("{file}, \"{heading}\""));
        places.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn read(file: &str) -> String {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file)).unwrap()
    }

    #[test]
    fn places_to_look_at_exist() {
        let template = read("template.yaml");
        for check in Check::value_variants() {
            let look = check.look();
            for id in look.functions.iter().chain(look.alarms) {
                assert!(template.contains(&format!("\n  {id}:\n")), "{check:?}: {id}");
            }
            let (file, heading) = look.document;
            assert!(
                read(file).lines().any(|line| line.trim_start_matches('#').trim() == heading),
                "{check:?}: {heading}"
            );
        }
    }

    #[test]
    fn line_names_the_log_group_or_the_local_log() {
        let look = Check::Rollups.look();
        let none = BTreeMap::new();
        assert_eq!(
            look.line(None, &none),
            "the lines of rollup in functions.log; docs/PROTOCOL.md, \"Freshness\""
        );
        let line = look.line(Some("nsl"), &none);
        let logs = "the log of Rollup (.venv/sam/bin/sam logs --stack-name nsl --name Rollup); the alarm ";
        assert!(line.starts_with(logs), "{line}");
        let outputs = BTreeMap::from([("RollupLog".to_owned(), "/a/b".to_owned())]);
        let line = look.line(Some("nsl"), &outputs);
        assert!(line.starts_with("the log group /a/b (aws logs tail /a/b --since 10m); "), "{line}");
    }
}
