//! What proved a grant, and its short text on the rows of subscriptions and publishers.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::ids::{KeyId, UserId};
use crate::time::TimestampMs;

const KEY: &str = "key";
const TOKEN: &str = "token";
const LEGACY: &str = "legacy";

/// What proved a grant, so that revoking it reaches connections that are already open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// An API key of the app.
    Key(KeyId),
    /// A token issued then. An app can reject all tokens issued before an instant.
    Token {
        /// When it was issued.
        issued: TimestampMs,
    },
    /// The library's own `auth`, which has no secret; valid while the app's `legacy` flag is on.
    Legacy,
}

impl Proof {
    /// Whether `app` has not revoked it, and is the app that it was for: a deleted app's id may have a new one.
    /// `bound_to` is the owner whose apps it is for; without one the proof itself is bound to an app.
    pub(super) fn is_valid_for(&self, app: &App, bound_to: Option<&UserId>) -> bool {
        if bound_to.is_some_and(|owner| *owner != app.owner) {
            return false;
        }
        match self {
            Self::Key(id) => app.keys.iter().any(|key| key.id == *id),
            Self::Token { issued } => {
                let is_revoked = app.tokens_not_before.is_some_and(|earliest| *issued < earliest);
                let is_of_earlier_app = bound_to.is_none() && app.is_younger_than(*issued);
                !is_revoked && !is_of_earlier_app
            }
            // A row from before the owner was stored may be that of an earlier app, unless the app is as old.
            Self::Legacy => app.legacy && (bound_to.is_some() || app.created_at.is_none()),
        }
    }
}

/// The proof, the owner and the end of the grant of a subscriber or a publisher. What the grant allows was checked when
/// its row was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProof {
    pub(super) proof: Proof,
    pub(super) owner: Option<UserId>,
    pub(super) until: Option<TimestampMs>,
}

impl StoredProof {
    /// Whether it is valid for `app` at `now`: neither expired nor revoked.
    pub fn is_valid(&self, app: &App, now: TimestampMs) -> bool {
        self.until.is_none_or(|until| now < until) && self.proof.is_valid_for(app, self.owner.as_ref())
    }

    /// The owner whose apps alone it is for, stored beside the text.
    pub fn owner(&self) -> Option<&UserId> {
        self.owner.as_ref()
    }

    /// The kind of proof, its key id or instant of issue, and the instant of its end in epoch milliseconds if it has
    /// one, separated by spaces. Short, because fan-out reads a thousand rows with it.
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

    /// Reads what [`StoredProof::to_text`] writes, with the owner beside it; `None` for any other text.
    pub fn from_text(text: &str, owner: Option<UserId>) -> Option<Self> {
        let mut parts = text.split(' ');
        let proof = match parts.next()? {
            KEY => Proof::Key(KeyId::new(parts.next()?).ok()?),
            TOKEN => Proof::Token { issued: instant(parts.next()?)? },
            LEGACY => Proof::Legacy,
            _ => return None,
        };
        let until = parts.next().map(|part| instant(part).ok_or(())).transpose().ok()?;
        parts.next().is_none().then_some(Self { proof, owner, until })
    }
}

fn instant(part: &str) -> Option<TimestampMs> {
    part.parse().ok().map(TimestampMs::clamped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::KeyRecord;
    use crate::ids::Scope;

    const NOW: TimestampMs = TimestampMs::EXAMPLE;

    fn app() -> App {
        App { keys: vec![KeyRecord::of("secret", Scope::BOTH)], legacy: true, ..App::example() }
    }

    fn key() -> Proof {
        Proof::Key(KeyRecord::of("secret", Scope::BOTH).id)
    }

    #[test]
    fn proof_ends_with_its_instant_key_tokens_or_legacy_flag() {
        let mut app = app();
        let proofs = [key(), Proof::Token { issued: NOW }, Proof::Legacy].map(|proof| StoredProof {
            proof,
            owner: None,
            until: Some(NOW.plus_ms(1)),
        });
        assert!(proofs.iter().all(|proof| proof.is_valid(&app, NOW)));
        assert!(proofs.iter().all(|proof| !proof.is_valid(&app, NOW.plus_ms(1))));
        app.keys.clear();
        app.tokens_not_before = Some(NOW.plus_ms(1));
        app.legacy = false;
        assert!(proofs.iter().all(|proof| !proof.is_valid(&app, NOW)));
    }

    #[test]
    fn old_row_without_owner_is_valid_for_an_old_app_only() {
        let legacy = StoredProof { proof: Proof::Legacy, owner: None, until: None };
        let young = App { created_at: Some(NOW.plus_ms(-1_000_000)), ..app() };
        assert_eq!([legacy.is_valid(&app(), NOW), legacy.is_valid(&young, NOW)], [true, false]);
    }

    #[test]
    fn proof_survives_its_text_and_garbage_is_none() {
        for proof in [key(), Proof::Token { issued: NOW }, Proof::Legacy] {
            for until in [None, Some(NOW)] {
                for owner in [None, Some(UserId::literal("ann"))] {
                    let proof = StoredProof { proof: proof.clone(), owner: owner.clone(), until };
                    assert_eq!(StoredProof::from_text(&proof.to_text(), owner), Some(proof));
                }
            }
        }
        for text in ["", "key", "key ", "token", "token x", "legacy x", "legacy 1 2", "owner ann", " legacy"]
        {
            assert_eq!(StoredProof::from_text(text, None), None, "{text:?}");
        }
    }
}
