//! The function beside a reference model that is too simple to be wrong: it folds the raw reports again each time.
//!
//! Whatever the stream does to the function (batches cut anywhere, delivered twice, out of order, to two instances at
//! once, instances killed between any two calls, reports that come late), in the end both say the same.

#![cfg(test)]

mod accidents;
mod batches;
mod damage;
mod doubles;
mod naive;
mod terms;
mod together;
mod units;
mod world;
