//! Values with their units, as the dashboard shows them in English (`infra/dashboard/src/units.js`): `55%`, `7.11 GiB`,
//! `12.3k`, `3 h 12 min`. Both are tested with `tests/fixtures/figures.json`.

use nsl_domain::series::Unit;

/// Significant digits.
const DIGITS: usize = 3;
/// Larger and smaller numbers are in scientific notation.
const MAX_PLAIN: f64 = 1e15;
const MIN_PLAIN: f64 = 1e-4;
/// Larger numbers have a prefix.
const MAX_WITHOUT_PREFIX: f64 = 9_999.5;
const BINARY_PREFIXES: [&str; 6] = [" B", " KiB", " MiB", " GiB", " TiB", " PiB"];
const DECIMAL_PREFIXES: [&str; 5] = ["", "k", "M", "G", "T"];
/// Parts of a duration, with their seconds.
const DURATIONS: [(f64, &str); 4] = [(86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s")];

/// `value` with its unit; without one a plain number.
pub(crate) fn figure(value: f64, unit: Option<Unit>) -> String {
    match unit {
        Some(Unit::Percent) => percent(value),
        Some(Unit::Bytes) => prefixed(value, 1_024.0, &BINARY_PREFIXES),
        Some(Unit::Seconds) => duration(value),
        None => plain(value),
    }
}

fn percent(value: f64) -> String {
    match value.abs() {
        MAX_PLAIN.. => format!("{} %", plain(value)),
        10.0.. => format!("{}%", Decimal::of(value).with_decimals(0)),
        _ => format!("{}%", Decimal::of(value).with_decimals(1)),
    }
}

fn prefixed(value: f64, factor: f64, prefixes: &[&str]) -> String {
    let mut scaled = value;
    let mut prefixes = prefixes.iter();
    let mut prefix = prefixes.next();
    // Rounding may reach the next prefix: 1023.9 KiB is 1 MiB.
    while scaled.abs() >= factor - 0.5 {
        let Some(next) = prefixes.next() else { break };
        prefix = Some(next);
        scaled /= factor;
    }
    plain(scaled) + prefix.copied().unwrap_or_default()
}

fn plain(value: f64) -> String {
    let decimal = Decimal::of(value);
    match value.abs() {
        0.0 => decimal.with_decimals(0),
        ..MIN_PLAIN | MAX_PLAIN.. => decimal.scientific(),
        MAX_WITHOUT_PREFIX.. => prefixed(value, 1_000.0, &DECIMAL_PREFIXES),
        100.0.. => decimal.with_decimals(0),
        10.0.. => decimal.with_decimals(1),
        1.0.. => decimal.with_decimals(2),
        _ => decimal.significant(),
    }
}

/// The two largest parts of a duration: `3 h 12 min`, `45 s`, `120 ms`.
fn duration(seconds: f64) -> String {
    if seconds.abs() < 1.0 && seconds != 0.0 {
        return format!("{} ms", plain(seconds * 1_000.0));
    }
    let mut left = seconds.abs().round();
    if left >= MAX_PLAIN {
        return format!("{} s", plain(seconds));
    }
    let mut shown: Vec<String> = Vec::new();
    for (size, sign) in DURATIONS {
        let count = (left / size).floor();
        left -= count * size;
        if count > 0.0 {
            shown.push(format!("{} {sign}", Decimal::of(count).with_decimals(0)));
        } else if !shown.is_empty() {
            break;
        }
        if shown.len() == 2 {
            break;
        }
    }
    match shown.is_empty() {
        true => "0 s".to_owned(),
        false => format!("{}{}", if seconds < 0.0 { "-" } else { "" }, shown.join(" ")),
    }
}

/// The shortest decimal digits of a number. They are rounded half up, as browsers do; `format!` rounds half to even.
struct Decimal {
    sign: &'static str,
    digits: Vec<u8>,
    /// Digits before the point; negative if zeros follow the point.
    point: i32,
}

impl Decimal {
    fn of(value: f64) -> Self {
        let sign = if value.is_sign_negative() { "-" } else { "" };
        let text = format!("{:e}", value.abs());
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let digits = digits.bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect();
        Self { sign, digits, point: exponent.parse::<i32>().unwrap_or_default() + 1 }
    }

    /// With at most this many decimals, and commas between thousands.
    fn with_decimals(self, decimals: i32) -> String {
        let point = self.point;
        self.rounded(point + decimals).text()
    }

    fn significant(self) -> String {
        self.rounded(DIGITS as i32).text()
    }

    fn scientific(self) -> String {
        let mut rounded = self.rounded(DIGITS as i32);
        let exponent = rounded.point - 1;
        rounded.point = 1;
        format!("{}E{exponent}", rounded.text())
    }

    /// With at most `kept` digits, without trailing zeros.
    fn rounded(mut self, kept: i32) -> Self {
        let kept = usize::try_from(kept);
        let goes_up = kept.is_ok_and(|kept| self.digits.get(kept).is_some_and(|digit| *digit >= 5));
        self.digits.truncate(kept.unwrap_or_default());
        if goes_up {
            while self.digits.pop_if(|digit| *digit == 9).is_some() {}
            match self.digits.last_mut() {
                Some(last) => *last += 1,
                None => {
                    self.digits.push(1);
                    self.point += 1;
                }
            }
        }
        while self.digits.pop_if(|digit| *digit == 0).is_some() {}
        if self.digits.is_empty() {
            self.point = 1;
        }
        self
    }

    fn text(&self) -> String {
        let digit = |index: i32| {
            let digit = usize::try_from(index).ok().and_then(|index| self.digits.get(index));
            char::from(b'0' + digit.copied().unwrap_or_default())
        };
        let mut text = self.sign.to_owned();
        let whole = self.point.max(1);
        for index in self.point - whole..self.point {
            text.push(digit(index));
            let left = self.point - index - 1;
            if left > 0 && left % 3 == 0 {
                text.push(',');
            }
        }
        let end = i32::try_from(self.digits.len()).unwrap_or(i32::MAX);
        if end > self.point {
            text.push('.');
            text.extend((self.point..end).map(digit));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIGURES: &str = include_str!("../../../tests/fixtures/figures.json");

    #[test]
    fn figures_are_those_of_the_dashboard() {
        let figures: Vec<(f64, String, String)> = serde_json::from_str(FIGURES).unwrap();
        for (value, unit, expected) in figures {
            let (unit, per_second) = unit.strip_suffix("/s").map_or((unit.as_str(), ""), |unit| (unit, "/s"));
            let unit =
                [Unit::Percent, Unit::Bytes, Unit::Seconds].into_iter().find(|one| one.as_str() == unit);
            assert_eq!(figure(value, unit) + per_second, expected, "{value:e} {unit:?}");
        }
    }

    #[test]
    fn every_number_is_short() {
        let mut value = 1e-300;
        while value < 1e300 {
            for value in [value, -value] {
                assert!(plain(value).len() <= 10, "{}", plain(value));
            }
            value *= 1.37;
        }
    }
}
