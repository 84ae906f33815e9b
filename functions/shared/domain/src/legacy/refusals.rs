//! The connections whose grant an app rejected, so that their next frames cost no call: the library ignores every answer
//! and sends two reports a second.

use super::session::ATTEMPT_EVERY_MS;
use crate::bounded::BoundedMap;
use crate::ids::{AppId, ConnectionId};
use crate::rejection::Code;
use crate::time::TimestampMs;

/// What one function instance knows. Another instance checks for itself.
#[derive(Debug, Default)]
pub struct Refusals {
    refused: BoundedMap<(ConnectionId, AppId), Refusal>,
}

#[derive(Debug)]
struct Refusal {
    at: TimestampMs,
    code: Code,
}

impl Refusals {
    /// Why `app` rejected the grant of `connection` within [`ATTEMPT_EVERY_MS`] before `now`, if it did.
    pub fn find(&mut self, connection: &ConnectionId, app: &AppId, now: TimestampMs) -> Option<Code> {
        let refusal = self.refused.get(&(connection.clone(), app.clone()))?;
        (now.ms_since(refusal.at) < ATTEMPT_EVERY_MS).then_some(refusal.code)
    }

    /// Notes that `app` rejected the grant of `connection` at `now`.
    pub fn note(&mut self, connection: &ConnectionId, app: &AppId, code: Code, now: TimestampMs) {
        self.refused.put((connection.clone(), app.clone()), Refusal { at: now, code });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_is_known_for_ten_seconds_by_connection_and_app() {
        let (one, other) = (ConnectionId::new("a="), ConnectionId::new("b="));
        let (shop, bank) = (AppId::new("shop").unwrap(), AppId::new("bank").unwrap());
        let mut refusals = Refusals::default();
        let at = |ms| TimestampMs::EXAMPLE.plus_ms(ms);
        refusals.note(&one, &shop, Code::AppInactive, at(0));
        for (connection, app, ms, is_refused) in [
            (&one, &shop, 0, true),
            (&one, &shop, 9_999, true),
            (&one, &shop, 10_000, false),
            (&one, &bank, 0, false),
            (&other, &shop, 0, false),
        ] {
            let expected = is_refused.then_some(Code::AppInactive);
            assert_eq!(refusals.find(connection, app, at(ms)), expected, "{ms}");
        }
    }
}
