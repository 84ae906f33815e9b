//! Tests of the delivery rules that need no I/O.

mod properties;
