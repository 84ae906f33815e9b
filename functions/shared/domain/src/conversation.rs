//! What a connection is answered to its frames in this protocol's own dialect, and what both dialects share: the reply,
//! the effects that it needs, and the cache of connections. The library's dialect is in `legacy`.

pub mod connection_cache;
pub mod effects;
pub mod limits;
mod modern;
pub mod reply;

pub use effects::{EffectError, Effects};
pub use limits::{FULL_FOR_MS, MAX_AUTH_REJECTIONS, MAX_SUBSCRIPTIONS};
pub use modern::{AuthContext, converse};
pub use reply::{FrameCounts, Reply};

#[cfg(test)]
mod tests;
