//! The log lines of a function: their format, and from which level on. The level applies to the project's crates only.
//!
//! At DEBUG the AWS SDK and its HTTP client write tens of kilobytes a frame, and at TRACE the Lambda runtime writes whole
//! events, credentials included. So every other crate logs from WARN on, at any level.

use lambda_runtime::tracing::subscriber::filter::{LevelFilter, Targets};
use lambda_runtime::tracing::subscriber::fmt::{self, MakeWriter};
use lambda_runtime::tracing::subscriber::layer::SubscriberExt;
use lambda_runtime::tracing::subscriber::registry;
use lambda_runtime::tracing::subscriber::util::SubscriberInitExt;
use tracing::Dispatch;

use crate::clock;
use crate::counters::{self, Counter};
use crate::settings::environment;

/// What the names of the project's libraries begin with.
const OUR_LIBRARIES: &str = "nsl_";

/// The module of the Lambda runtime's span around each invocation, whose fields are the ids of the request and of its
/// trace. It logs nothing.
const INVOCATION_SPAN: &str = "lambda_runtime::layers::trace";

/// The module of the Lambda runtime that logs each error which a function returns, and the message of a panic. A caller's
/// wrong credential would be an ERROR there, and a message may quote what a caller sent. Ours are logged by [`failed`] and
/// by the panic hook.
const RETURNED_ERRORS: &str = "lambda_runtime::layers::panic";

/// Starts the structured logging of the binary `function`, in the format and from the level that Lambda's environment
/// sets.
///
/// The runtime's own layer omits the time, and Lambda treats a JSON line without a valid `timestamp` as INFO: with
/// `LogLevel=WARN` it would drop every warning and error.
pub fn init(function: &str) {
    let is_json =
        environment("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json"));
    let level = environment("AWS_LAMBDA_LOG_LEVEL").or_else(|| environment("RUST_LOG"));
    dispatch(is_json, levels(function, level.as_deref()), std::io::stdout).init();
    let namespace = environment("METRICS_NAMESPACE");
    std::panic::set_hook(Box::new(move |panic| {
        log_panic(panic);
        if let Some(namespace) = &namespace {
            counters::emit_one(namespace, Counter::Panics, clock::now());
        }
    }));
}

/// The error with which an invocation fails for `reason`, logged.
pub fn failed(reason: &'static str) -> lambda_runtime::Error {
    tracing::error!(reason, "invocation failed");
    reason.into()
}

/// Logs where a panic happened. Its message is left out: it may quote what a caller sent.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(location, "panicked");
}

/// The level of each crate in the binary `function`: `level` for the project's own, INFO if it is not a level. Of a list
/// with levels of single modules, as `RUST_LOG` may be, only the level without a module counts.
fn levels(function: &str, level: Option<&str>) -> Targets {
    let listed = level.and_then(|level| level.parse::<Targets>().ok());
    let ours = listed.and_then(|listed| listed.default_level()).unwrap_or(LevelFilter::INFO);
    Targets::new()
        .with_default(ours.min(LevelFilter::WARN))
        .with_targets([OUR_LIBRARIES, function].map(|target| (target, ours)))
        .with_target(INVOCATION_SPAN, LevelFilter::INFO)
        .with_target(RETURNED_ERRORS, LevelFilter::OFF)
}

/// Writes what passes `levels` to `writer`. A line has the span of its invocation once, not also the list of its spans.
fn dispatch<W>(is_json: bool, levels: Targets, writer: W) -> Dispatch
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_target(false).with_writer(writer);
    let passing = registry().with(levels);
    if is_json {
        Dispatch::new(passing.with(lines.json().with_span_list(false)))
    } else {
        Dispatch::new(passing.with(lines.without_time()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use nsl_domain::time::TimestampMs;
    use serde_json::Value;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `log` writes.
    fn logged(is_json: bool, level: Option<&str>, log: impl Fn()) -> Vec<String> {
        let lines = Lines::default();
        let writer = lines.clone();
        let dispatch = dispatch(is_json, levels("ingest", level), move || writer.clone());
        tracing::dispatcher::with_default(&dispatch, log);
        let text = lines.0.lock().unwrap().clone();
        String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
    }

    fn log_at_each_level() {
        tracing::error!(table = "reports", "lost");
        tracing::warn!("slow");
        tracing::info!("fine");
        tracing::debug!("detailed");
        tracing::trace!("verbose");
    }

    fn log_of_other_crates() {
        tracing::warn!(target: "rustls::client", "old certificate");
        tracing::info!(target: "lambda_runtime", "started");
        tracing::error!(target: "lambda_runtime::layers::panic", "\"Unauthorized\"");
        tracing::debug!(target: "aws_smithy_runtime::client", "request body");
        tracing::trace!(target: "lambda_runtime::layers::api_response", "event");
    }

    #[test]
    fn log_line_has_level_and_time_that_lambda_filters_by() {
        let lines = logged(true, Some("WARN"), log_at_each_level);
        let parsed: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let levels: Vec<_> = parsed.iter().map(|line| line["level"].clone()).collect();
        assert_eq!(levels, ["ERROR", "WARN"]);
        assert_eq!(parsed[0]["fields"]["table"], "reports");
        for line in &parsed {
            let timestamp = line["timestamp"].as_str().unwrap_or_default();
            assert!(TimestampMs::from_iso(timestamp).is_ok(), "{line}");
        }
    }

    #[test]
    fn invalid_log_level_falls_back_to_the_default() {
        for level in [Some("loud"), Some("hyper=trace"), None] {
            assert_eq!(logged(true, level, log_at_each_level).len(), 3, "{level:?}");
        }
    }

    #[test]
    fn text_line_begins_with_its_level() {
        let lines = logged(false, Some("ERROR"), log_at_each_level);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains("ERROR lost"), "{lines:?}");
    }

    #[test]
    fn other_crates_log_warnings_only_at_any_level() {
        for (level, ours, others) in
            [("TRACE", 5, 1), ("DEBUG", 4, 1), ("INFO", 3, 1), ("WARN", 2, 1), ("ERROR", 1, 0)]
        {
            assert_eq!(logged(true, Some(level), log_at_each_level).len(), ours, "{level}");
            let of_function = logged(true, Some(level), || tracing::debug!(target: "ingest::handler", "x"));
            assert_eq!(of_function.len(), usize::from(ours >= 4), "{level}");
            assert_eq!(logged(true, Some(level), log_of_other_crates).len(), others, "{level}");
        }
        assert_eq!(logged(true, Some("debug,hyper=trace,rustls=info"), log_of_other_crates).len(), 1);
    }

    #[test]
    fn counters_pass_every_log_level() {
        for (level, expected) in
            [("TRACE", "INFO"), ("DEBUG", "INFO"), ("INFO", "INFO"), ("WARN", "WARN"), ("ERROR", "ERROR")]
        {
            let dispatch = dispatch(true, levels("ingest", Some(level)), std::io::sink);
            assert_eq!(tracing::dispatcher::with_default(&dispatch, counters::passing_level), expected);
        }
    }

    #[test]
    fn line_has_the_span_of_its_invocation_once_at_every_level() {
        for level in ["TRACE", "WARN", "ERROR"] {
            let lines = logged(true, Some(level), || {
                let span =
                    tracing::info_span!(target: "lambda_runtime::layers::trace", "invoke", requestId = "r-1");
                span.in_scope(|| tracing::error!("lost"));
            });
            let line: Value = serde_json::from_str(&lines[0]).unwrap();
            assert_eq!((&line["span"]["requestId"], line.get("spans")), (&"r-1".into(), None), "{level}");
        }
    }
}
