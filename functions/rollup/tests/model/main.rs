//! Tests of the function against a reference model that recomputes every figure from the raw reports.
//!
//! The stream may split batches anywhere, deliver them twice, out of order or to two instances at once, stop instances
//! between any two calls and deliver late reports: in the end function and model agree.

#![cfg(test)]

mod activity;
mod app_settings;
mod batches;
mod corrupt_rollups;
mod deferral;
mod duplicates;
mod failures;
mod many_apps;
mod reference;
mod world;
mod write_units;
