//! Runs a function's own binary as Lambda does and checks how it reports what it cannot start with.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use crate::dynamodb::Failure;
use crate::emulator::Emulator;
use crate::environment::TestEnvironment;
use crate::running_function::RunningFunction;

/// How long a function may take to find out that it cannot start.
const STARTUP_TIMEOUT: Duration = Duration::from_secs(20);

/// Less time than one attempt of a call may take.
const SHORT_INVOCATION: Duration = Duration::from_millis(1_500);

const MISSING_TABLE: &str = "no-such-table";

/// A function's own binary and the settings that it requires.
#[derive(Debug, Clone, Copy)]
pub struct FunctionBinary {
    /// Path of the binary.
    pub program: &'static str,
    /// Environment variables that it requires; [`TestEnvironment::variable`] has their values.
    pub variables: &'static [&'static str],
}

impl FunctionBinary {
    /// Asserts that the binary fails with one line that names the fault: every variable if none is set, each of its
    /// tables if that does not exist, and each of `invalid`, pairs of a variable and a value that is not accepted.
    ///
    /// # Panics
    /// If it starts or prints anything else.
    pub async fn assert_startup_errors(&self, invalid: &[(&str, &str)]) {
        let error = self.startup_error(Vec::new()).await;
        for variable in self.variables {
            assert!(error.contains(&format!("{variable} is not set")), "{error}");
        }
        let env = TestEnvironment::start().await;
        for (name, value) in invalid {
            let error = self.failed_start(&env, (name, value)).await;
            let expected = if value.is_empty() { format!("{name} is not set") } else { (*name).to_owned() };
            assert!(error.contains(&expected) && error.contains("\"timestamp\":\""), "{error}");
        }
        for table in self.variables.iter().filter(|name| name.ends_with("_TABLE")) {
            let error = self.failed_start(&env, (table, MISSING_TABLE)).await;
            let names_table = error.contains(&format!("table {MISSING_TABLE}"));
            assert!(names_table && error.contains("ResourceNotFound"), "{error}");
        }
    }

    /// Starts the binary under Lambda's emulator; `None` if that is not installed.
    ///
    /// # Panics
    /// If the emulator is required and not installed, or does not start.
    pub async fn emulated(&self, env: &TestEnvironment) -> Option<Emulator> {
        Emulator::start(self.program, self.variables_in(env)).await
    }

    /// Starts the binary behind a Runtime API of its own, with `LogLevel` as in the template.
    pub async fn run(&self, env: &TestEnvironment, log_level: &str) -> RunningFunction {
        let mut variables = self.variables_in(env);
        variables.push(("AWS_LAMBDA_LOG_LEVEL".to_owned(), log_level.to_owned()));
        RunningFunction::start(self.program, variables).await
    }

    /// Asserts that the calls for `event` end with the invocation: while DynamoDB does not respond, none has time for a
    /// second attempt.
    ///
    /// # Panics
    /// If one has.
    pub async fn assert_obeys_deadline(&self, env: &TestEnvironment, event: &Value) {
        let mut function = self.run(env, "ERROR").await;
        for operation in ["GetItem", "PutItem", "UpdateItem", "Query", "TransactWriteItems"] {
            env.dynamodb.fail(operation, Failure::NoResponse, usize::MAX);
        }
        env.forget_calls();
        function.invoke_within(SHORT_INVOCATION, event).await;
        let mut calls = env.take_lines();
        calls.sort_unstable();
        let mut distinct = calls.clone();
        distinct.dedup();
        assert!(!calls.is_empty() && calls == distinct, "a call was repeated: {calls:?}");
        env.dynamodb.clear_failures();
    }

    /// The names and values of a complete environment.
    fn variables_in(&self, env: &TestEnvironment) -> Vec<(String, String)> {
        let mut variables: Vec<(String, String)> = Vec::new();
        for name in self.variables {
            let value = env.variable(name).unwrap_or_else(|| panic!("{name} has no value for tests"));
            variables.push(((*name).to_owned(), value));
        }
        let aws = [
            ("AWS_ENDPOINT_URL_DYNAMODB", env.dynamodb.url()),
            ("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", env.connections.url()),
            ("AWS_REGION", TestEnvironment::REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "LOCALGATEWAY".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
            ("TOKEN_SECRET", TestEnvironment::TOKEN_SECRET.to_owned()),
        ];
        variables.extend(aws.map(|(name, value)| (name.to_owned(), value)));
        variables
    }

    /// What the binary prints before it fails because a variable has this value: one line, and perhaps counters.
    ///
    /// # Panics
    /// If it starts or prints anything else.
    pub async fn failed_start(&self, env: &TestEnvironment, (name, value): (&str, &str)) -> String {
        let mut variables = self.variables_in(env);
        variables.push((name.to_owned(), value.to_owned()));
        self.startup_error(variables).await
    }

    /// What the binary prints before it fails: one line, and perhaps counters. Of a variable that is given twice the later counts.
    async fn startup_error(&self, variables: Vec<(String, String)>) -> String {
        let mut command = Command::new(self.program);
        command.env_clear().envs(variables).stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(STARTUP_TIMEOUT, command.output()).await;
        let output = output.expect("the function exits").expect("the function starts");
        assert!(!output.status.success(), "the function exited successfully");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let counters = printed.lines().filter(|line| line.contains("\"_aws\":{")).count();
        assert_eq!(printed.lines().count() - counters, 1, "{printed}");
        printed
    }
}
