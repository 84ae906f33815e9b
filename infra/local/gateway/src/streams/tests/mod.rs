//! Properties of delivery, checked on the code that decides without I/O.

mod properties;
