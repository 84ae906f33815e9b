//! What a credential proves: API keys, tokens, and the library's own `auth`.
//!
//! Turns a credential and the application that it names into a grant or a refusal. It reads no table and keeps no
//! secret: of a key the application's record holds only the hash. Ruled by design.md §8.

#![warn(missing_docs)]

pub mod api_key;
pub mod prove;
pub mod token;
