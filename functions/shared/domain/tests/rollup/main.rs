//! Tests of encoded rollups: size, accuracy, and compatibility with golden files.

#![cfg(test)]

mod accuracy;
mod golden;
mod size;
