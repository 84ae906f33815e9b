//! What every command is run with besides its own arguments.

use crate::args::Place;
use nsl_client::console::Console;
use nsl_client::settings::Settings;

/// One run of `nsl`.
pub(crate) struct Cli {
    /// Which service to use.
    pub(crate) place: Place,
    pub(crate) settings: Settings,
    pub(crate) console: Console,
}
