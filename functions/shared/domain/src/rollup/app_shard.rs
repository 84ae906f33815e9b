//! One write shard of an application.

use crate::ids::AppId;

/// One write shard of an application: each has rollups of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppShard {
    /// The application.
    pub app: AppId,
    /// Its write shard, from 0.
    pub shard: u16,
}
