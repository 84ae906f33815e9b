//! One application of the service under test.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct App {
    pub(crate) app_id: String,
    pub(crate) user_id: String,
    pub(crate) api_key: String,
}
