//! What a subscription stands on: the proof of the grant that it was made with, and the grant's end.
//!
//! Owns its short text, for it stands on each of a thousand rows that fan-out reads, and the judgement of it. Refuses
//! what the grant allows: that was judged when the subscription was made. Ruled by design.md §8.

use super::{Grant, Proof};
use crate::app::App;
use crate::ids::KeyId;
use crate::time::TimestampMs;

const KEY: &str = "key";
const TOKEN: &str = "token";
const LEGACY: &str = "legacy";

/// Why a connection may watch, as long as that lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    proof: Proof,
    until: Option<TimestampMs>,
}

impl Hold {
    /// What a subscription made with `grant` stands on.
    pub fn of(grant: &Grant) -> Self {
        Self { proof: grant.proof.clone(), until: grant.until }
    }

    /// Whether it holds for `app` at `now`: neither aged, nor taken back.
    pub fn lasts(&self, app: &App, now: TimestampMs) -> bool {
        self.until.is_none_or(|until| now < until) && self.proof.is_valid_for(app)
    }

    /// A word for the proof, its mark, and the instant of its end in epoch milliseconds where it has one, separated by
    /// spaces.
    pub fn to_text(&self) -> String {
        let proof = match &self.proof {
            Proof::Key(id) => format!("{KEY} {id}"),
            Proof::Token { issued } => format!("{TOKEN} {}", issued.ms()),
            Proof::Legacy => LEGACY.to_owned(),
        };
        match self.until {
            Some(until) => format!("{proof} {}", until.ms()),
            None => proof,
        }
    }

    /// Reads what [`Hold::to_text`] writes; any other text holds nothing.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let proof = match words.next()? {
            KEY => Proof::Key(KeyId::new(words.next()?).ok()?),
            TOKEN => Proof::Token { issued: instant(words.next()?)? },
            LEGACY => Proof::Legacy,
            _ => return None,
        };
        let until = words.next().map(|word| instant(word).ok_or(())).transpose().ok()?;
        words.next().is_none().then_some(Self { proof, until })
    }
}

fn instant(word: &str) -> Option<TimestampMs> {
    word.parse().ok().map(TimestampMs::clamped)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{app, by_key, now};
    use super::*;
    use crate::grant::Scope;

    fn hold(proof: Proof, until: Option<TimestampMs>) -> Hold {
        Hold { proof, until }
    }

    fn key(id: &str) -> Proof {
        Proof::Key(KeyId::new(id).unwrap())
    }

    #[test]
    fn it_is_that_of_its_grant() {
        let mut grant = by_key(Scope::View);
        grant.until = Some(now());
        assert_eq!(Hold::of(&grant), hold(key("k1"), Some(now())));
    }

    #[test]
    fn it_ends_with_its_key_its_tokens_or_the_legacy_flag() {
        let mut app = app();
        let token = hold(Proof::Token { issued: now() }, None);
        let holds = [hold(key("k1"), None), token, hold(Proof::Legacy, None)];
        assert!(holds.iter().all(|hold| hold.lasts(&app, now())));
        app.keys.clear();
        app.tokens_not_before = Some(now().plus_ms(1));
        app.legacy = false;
        assert!(holds.iter().all(|hold| !hold.lasts(&app, now())));
    }

    #[test]
    fn it_ends_at_its_instant() {
        let token = hold(Proof::Token { issued: now() }, Some(now().plus_ms(1)));
        assert!(token.lasts(&app(), now()));
        assert!(!token.lasts(&app(), now().plus_ms(1)));
    }

    #[test]
    fn it_survives_its_text_and_garbage_holds_nothing() {
        for proof in [key("k1"), Proof::Token { issued: now() }, Proof::Legacy] {
            for until in [None, Some(now())] {
                let hold = hold(proof.clone(), until);
                assert_eq!(Hold::from_text(&hold.to_text()), Some(hold));
            }
        }
        for text in ["", "key", "key ", "token", "token x", "legacy x", "legacy 1 2", "owner ann", " legacy"]
        {
            assert_eq!(Hold::from_text(text), None, "{text:?}");
        }
    }
}
