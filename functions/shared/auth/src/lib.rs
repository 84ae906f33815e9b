//! What a credential proves: API keys, tokens, and the `auth` of the library.
//!
//! Reads no table and stores no secret: of a key an app has only the hash.

#![warn(missing_docs)]

pub mod api_key;
pub mod prove;
pub mod token;
