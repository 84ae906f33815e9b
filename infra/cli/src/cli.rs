//! What every command is run with besides its own arguments.

use crate::args::Place;
use nsl_aws::operator::{AccessError, Operator};
use nsl_client::console::Console;
use nsl_client::settings::Settings;
use tokio::sync::OnceCell;

/// One run of `nsl`.
pub(crate) struct Cli {
    /// Which service to use.
    pub(crate) place: Place,
    pub(crate) settings: Settings,
    pub(crate) console: Console,
    operator: OnceCell<Operator>,
}

impl Cli {
    pub(crate) fn new(place: Place, settings: Settings, console: Console) -> Self {
        Self { place, settings, console, operator: OnceCell::new() }
    }

    /// The operator's access to AWS, loaded once.
    pub(crate) async fn operator(&self) -> Result<&Operator, AccessError> {
        self.operator.get_or_try_init(Operator::load).await
    }
}
