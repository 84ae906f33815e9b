//! Asserts what a function's binary logs for an event at each `LogLevel`: how much, for which request, and no secret.

use serde_json::Value;

use crate::environment::TestEnvironment;
use crate::function_binary::FunctionBinary;

/// The values of `LogLevel`, each with more lines than the one before.
pub const LOG_LEVELS: [&str; 5] = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];

/// An event, and how much may be logged for it.
#[derive(Debug)]
pub struct LoggedEvent {
    /// Names it in the output.
    pub name: &'static str,
    pub event: Value,
    /// Most bytes at each of [`LOG_LEVELS`], counters included.
    pub most_bytes: [usize; 5],
}

impl FunctionBinary {
    /// Asserts that each of `events`, handled in this order by a new process at each level, logs at most its bytes, that
    /// each line is JSON that names its request, and that none contains one of `secrets`. Prints the bytes, which
    /// docs/COST.md gives.
    ///
    /// # Panics
    /// If not.
    #[expect(clippy::print_stdout, reason = "a test's own output, which cargo shows on demand")]
    pub async fn assert_log_lines(&self, env: &TestEnvironment, events: &[LoggedEvent], secrets: &[String]) {
        for (index, level) in LOG_LEVELS.into_iter().enumerate() {
            let mut function = self.run(env, level).await;
            for LoggedEvent { name, event, most_bytes } in events {
                let printed = function.invoke(event).await.printed;
                println!("{name} at {level}: {} bytes in {} lines", printed.len(), printed.lines().count());
                assert!(printed.len() <= most_bytes[index], "{name} at {level}: {printed}");
                for line in printed.lines() {
                    assert_is_log_line(line);
                }
                let leaked = secrets.iter().find(|secret| printed.contains(*secret));
                assert_eq!(leaked, None, "{name} at {level}: {printed}");
            }
        }
    }
}

/// Counters are of many requests; every other line names its own.
fn assert_is_log_line(line: &str) {
    let parsed: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
    let names_request = parsed["span"]["requestId"].is_string();
    assert!(parsed["level"].is_string() && (names_request || parsed["_aws"].is_object()), "{line}");
}
