//! Network rates of each source, from the counters in two consecutive reports.

use nsl_domain::bounded::BoundedMap;
use serde_json::Value;

/// Bytes per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate {
    pub(crate) received: f64,
    pub(crate) sent: f64,
}

/// Counters of one source at one time, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) at_ms: i64,
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

impl Totals {
    /// The sum over all interfaces of a metrics document except loopback; `None` without interfaces.
    pub(crate) fn of(metrics: &Value, at_ms: i64) -> Option<Self> {
        let interfaces = metrics.pointer("/network/interfaces")?.as_object()?;
        let mut totals = Self { at_ms, received: 0, sent: 0 };
        for (name, interface) in interfaces {
            if is_loopback(name) {
                continue;
            }
            // A missing counter adds nothing to the sum.
            let counter = |field: &str| interface.get(field).and_then(Value::as_u64).unwrap_or_default();
            totals.received = totals.received.saturating_add(counter("bytesReceived"));
            totals.sent = totals.sent.saturating_add(counter("bytesSent"));
        }
        (!interfaces.is_empty()).then_some(totals)
    }

    /// The rate since `before`; `None` if no time has passed or a counter was reset.
    fn since(self, before: Self) -> Option<Rate> {
        let elapsed_ms = self.at_ms.checked_sub(before.at_ms).filter(|elapsed_ms| *elapsed_ms > 0)?;
        let per_second = 1_000.0 / elapsed_ms as f64;
        Some(Rate {
            received: self.received.checked_sub(before.received)? as f64 * per_second,
            sent: self.sent.checked_sub(before.sent)? as f64 * per_second,
        })
    }
}

fn is_loopback(name: &str) -> bool {
    name == "lo" || name == "lo0" || name.starts_with("Loopback")
}

/// The last counters of each source.
#[derive(Debug, Default)]
pub(crate) struct Rates(BoundedMap<String, Totals>);

impl Rates {
    /// The rate of `source` since its previous report. Reports out of order are ignored.
    pub(crate) fn observe(&mut self, source: &str, totals: Totals) -> Option<Rate> {
        let before = self.0.get(source).copied();
        if before.is_some_and(|before| before.at_ms >= totals.at_ms) {
            return None;
        }
        self.0.put(source.to_owned(), totals);
        totals.since(before?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn totals(at_ms: i64, received: u64, sent: u64) -> Totals {
        Totals { at_ms, received, sent }
    }

    #[test]
    fn rate_is_difference_per_second() {
        let mut rates = Rates::default();
        assert_eq!(rates.observe("a", totals(1_000, 100, 10)), None);
        assert_eq!(rates.observe("b", totals(1_500, 0, 0)), None);
        assert_eq!(
            rates.observe("a", totals(3_000, 2_100, 1_010)),
            Some(Rate { received: 1_000.0, sent: 500.0 })
        );
    }

    #[test]
    fn reset_counter_shows_no_rate_until_the_next_report() {
        let mut rates = Rates::default();
        rates.observe("a", totals(1_000, 5_000, 5_000));
        assert_eq!(rates.observe("a", totals(2_000, 10, 10)), None);
        assert_eq!(rates.observe("a", totals(3_000, 20, 10)), Some(Rate { received: 10.0, sent: 0.0 }));
    }

    #[test]
    fn report_out_of_order_is_ignored() {
        let mut rates = Rates::default();
        rates.observe("a", totals(2_000, 100, 100));
        assert_eq!(rates.observe("a", totals(2_000, 900, 900)), None);
        assert_eq!(rates.observe("a", totals(1_000, 900, 900)), None);
        assert_eq!(rates.observe("a", totals(3_000, 200, 100)), Some(Rate { received: 100.0, sent: 0.0 }));
    }

    #[test]
    fn loopback_is_not_counted() {
        let counters = json!({"bytesReceived": 5, "bytesSent": 7});
        let metrics = json!({"network": {"interfaces": {"lo": counters, "eth0": counters, "Wi-Fi": counters,
            "Loopback Pseudo-Interface 1": counters}}});
        assert_eq!(Totals::of(&metrics, 9), Some(totals(9, 10, 14)));
        assert_eq!(Totals::of(&json!({"network": {"interfaces": {}}}), 9), None);
        assert_eq!(Totals::of(&json!({}), 9), None);
    }
}
