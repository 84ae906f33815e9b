//! Starts a function's own binary as Lambda does, against a test environment, and keeps what it says before it ends.

use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;

use crate::emulator::Emulator;
use crate::environment::TestEnvironment;

/// How long a function may take to find out that it cannot start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A table that nobody made.
const MISSING: &str = "no-such-table";

/// A function's own binary and what its environment has to say.
#[derive(Debug, Clone, Copy)]
pub struct FunctionBinary {
    /// Where the binary is.
    pub program: &'static str,
    /// The tables that it is told of: the variable, and the table's name in the template.
    pub tables: &'static [(&'static str, &'static str)],
    /// What else it must be told.
    pub others: &'static [(&'static str, &'static str)],
}

/// Variables of an environment; of a name that stands twice the later value holds.
pub(crate) type Variables = Vec<(&'static str, String)>;

impl FunctionBinary {
    /// The one line that it prints when it is told nothing.
    ///
    /// # Panics
    /// Where it goes on, or says anything else.
    pub async fn startup_error_without_settings(&self) -> String {
        let mut command = Command::new(self.program);
        command.env_clear();
        one_line(&ended(command).await)
    }

    /// The one line that it prints when it is told all it needs, but for one `wrong` setting.
    ///
    /// # Panics
    /// Where it goes on, or says anything else.
    pub async fn startup_error_with(&self, wrong: (&'static str, &'static str)) -> String {
        let env = TestEnvironment::start().await;
        let mut variables = self.variables(&env);
        variables.push((wrong.0, wrong.1.to_owned()));
        self.refusal(&env, &variables).await
    }

    /// Takes each of its tables away in turn, and has it name that one.
    ///
    /// # Panics
    /// Where it goes on, or says anything else.
    pub async fn assert_names_each_missing_table(&self) {
        let env = TestEnvironment::start().await;
        for (variable, _) in self.tables {
            let mut variables = self.variables(&env);
            variables.push((variable, MISSING.to_owned()));
            let said = self.refusal(&env, &variables).await;
            assert!(
                said.contains(&format!("table {MISSING}")) && said.contains("ResourceNotFound"),
                "{said}"
            );
        }
    }

    /// It under Lambda's own emulator, or `None` where that is not installed.
    ///
    /// # Panics
    /// Where the emulator is required and not installed, or does not start.
    pub async fn emulated(&self, env: &TestEnvironment) -> Option<Emulator> {
        Emulator::start(self.program, env, &self.variables(env)).await
    }

    fn variables(&self, env: &TestEnvironment) -> Variables {
        let tables = self.tables.iter().map(|(variable, table)| (*variable, env.table(table)));
        tables.chain(self.others.iter().map(|(name, value)| (*name, (*value).to_owned()))).collect()
    }

    async fn refusal(&self, env: &TestEnvironment, variables: &Variables) -> String {
        let mut command = Command::new(self.program);
        command.env_clear().envs(variables.iter().cloned());
        command
            .env("AWS_ENDPOINT_URL_DYNAMODB", env.dynamodb.url())
            .env("AWS_REGION", TestEnvironment::REGION);
        command.env("AWS_ACCESS_KEY_ID", "LOCALGATEWAY").env("AWS_SECRET_ACCESS_KEY", "local");
        command.env("AWS_LAMBDA_LOG_FORMAT", "JSON");
        one_line(&ended(command).await)
    }
}

/// How `command` ended of itself, which it must not do as if all were well.
async fn ended(mut command: Command) -> Output {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output.expect("the function ends").expect("the function starts");
    assert!(!output.status.success(), "the function ended as if all were well");
    output
}

fn one_line(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.lines().count(), 1, "{said}");
    said.into_owned()
}
