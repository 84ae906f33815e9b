//! The Apps table: apps, their keys, and a cache of them.

mod app_settings;
mod cache;
mod change;
mod item;
mod table;

pub use cache::{AppCache, Authorisation};
pub use change::Saved;
pub use item::AppSummary;
pub use table::{Apps, Created, Limited};
