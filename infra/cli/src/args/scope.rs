//! The value of `--scope`: words separated by commas or blanks; the flag may be repeated.

use nsl_domain::ids::Scope;

/// Parses what a key or token may do. An unknown word is an error, because here it is a mistake.
pub(super) fn scope(text: &str) -> Result<Scope, String> {
    let words = text.split([',', ' ']).filter(|word| !word.is_empty());
    let scopes =
        words.map(|word| Scope::of_word(word).ok_or_else(|| format!("unknown word {word:?}: {DEMAND}")));
    scopes.reduce(|one, other| Ok(one?.with(other?))).unwrap_or_else(|| Err(DEMAND.to_owned()))
}

const DEMAND: &str = "must be publish, view, manage or both, or several separated by commas";

/// What all of the flags allow; `None` if there is none.
pub(crate) fn union(scopes: &[Scope]) -> Option<Scope> {
    scopes.iter().copied().reduce(Scope::with)
}

/// The argument that names `scope`, without blanks.
pub(crate) fn argument(scope: Scope) -> String {
    scope.as_str().replace(' ', ",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_is_words_between_commas_or_blanks() {
        assert_eq!(scope("both"), Ok(Scope::BOTH));
        for text in ["publish,view,manage", "publish view manage", " both, manage"] {
            assert_eq!(scope(text), Ok(Scope::BOTH.with(Scope::MANAGE)), "{text}");
        }
        for text in ["", ",", "admin", "view,admin", "View"] {
            assert!(scope(text).unwrap_err().contains("publish, view, manage or both"), "{text}");
        }
        assert_eq!(union(&[Scope::VIEW, Scope::MANAGE]), Some(Scope::VIEW.with(Scope::MANAGE)));
        assert_eq!(union(&[]), None);
        assert_eq!(scope(&argument(Scope::BOTH.with(Scope::MANAGE))), Ok(Scope::BOTH.with(Scope::MANAGE)));
    }
}
