//! Numbers of an answer in JSON and CSV: whole numbers without a fraction, as the library writes them.

use std::fmt;

use serde::{Serialize, Serializer};

/// 2^53: below it every whole number has its own `f64`, so it can be written as an integer.
const WHOLE_BELOW: f64 = 9_007_199_254_740_992.0;

/// A finite number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number(pub f64);

impl Number {
    fn whole(self) -> Option<i64> {
        (self.0.fract() == 0.0 && self.0.abs() < WHOLE_BELOW).then_some(self.0 as i64)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.whole() {
            Some(whole) => serializer.serialize_i64(whole),
            None => serializer.serialize_f64(self.0),
        }
    }
}

/// The shortest digits that parse as the same number, with an exponent if it is very large or small.
impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.whole() {
            Some(whole) => write!(formatter, "{whole}"),
            None => write!(formatter, "{:?}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_numbers_have_no_fraction() {
        for (value, text) in
            [(25_274_793_984.0, "25274793984"), (-0.0, "0"), (61.5, "61.5"), (1e300, "1e300")]
        {
            assert_eq!(Number(value).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn both_forms_parse_as_the_same_number(value in any::<f64>().prop_filter("finite", |value| value.is_finite())) {
            let json = serde_json::to_string(&Number(value)).unwrap();
            prop_assert_eq!(serde_json::from_str::<f64>(&json).unwrap(), value);
            prop_assert_eq!(Number(value).to_string().parse::<f64>().unwrap(), value);
        }
    }
}
