//! AWS's prices in us-east-1, in dollars, on demand, without free tiers. As of November 2026.

/// A price that falls with the amount: up to so many units each costs so much.
pub(crate) type Tiers = &'static [(f64, f64)];

const MILLION: f64 = 1e6;

/// A WebSocket message of up to 32 KB, in either direction.
pub(crate) const MESSAGE: Tiers = &[(1e9, 1.00 / MILLION), (f64::INFINITY, 0.80 / MILLION)];
/// A minute of one open connection.
pub(crate) const CONNECTION_MINUTE: f64 = 0.25 / MILLION;
/// A call of the HTTP API.
pub(crate) const HTTP_CALL: Tiers = &[(3e8, 1.00 / MILLION), (f64::INFINITY, 0.90 / MILLION)];
/// An invocation.
pub(crate) const INVOCATION: f64 = 0.20 / MILLION;
/// A second of a gigabyte of a function on arm64. Larger amounts cost up to a fifth less, which is left out.
pub(crate) const GIGABYTE_SECOND: f64 = 0.000_013_333_4;
/// DynamoDB's units.
pub(crate) const WRITE_UNIT: f64 = 0.625 / MILLION;
pub(crate) const READ_UNIT: f64 = 0.125 / MILLION;
/// A gigabyte stored for a month.
pub(crate) const STORED_GIGABYTE: f64 = 0.25;
/// A gigabyte sent to the internet, at the price of the first ten terabytes.
pub(crate) const SENT_GIGABYTE: f64 = 0.09;

/// What `amount` costs.
pub(crate) fn tiered(amount: f64, tiers: Tiers) -> f64 {
    let mut below = 0.0;
    let mut dollars = 0.0;
    for (up_to, price) in tiers {
        dollars += (amount.min(*up_to) - below).max(0.0) * price;
        below = *up_to;
    }
    dollars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_a_tier_costs_less() {
        let near = |found: f64, expected: f64| (found - expected).abs() < 1e-6;
        assert!(near(tiered(5e8, MESSAGE), 500.0));
        assert!(near(tiered(2e9, MESSAGE), 1_800.0));
        assert_eq!(tiered(0.0, MESSAGE), 0.0);
    }
}
