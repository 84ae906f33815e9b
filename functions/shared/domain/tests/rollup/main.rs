//! Stored rollups as bytes: how small they are, and that those written once stay readable.

#![cfg(test)]

mod accuracy;
mod golden;
mod hosts;
mod shapes;
mod size;
