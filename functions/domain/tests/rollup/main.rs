//! Stored rollups as bytes: how small they are, and that those written once stay readable.

#![cfg(test)]

mod golden;
mod hosts;
mod size;
