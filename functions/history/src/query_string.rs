//! Reads a raw query string: decoded strictly, every name known to the route, and one value each unless it is a list.
//! The event's own parameters are no use: API Gateway joins repeated ones with commas, which a series' name may contain.

use nsl_domain::rejection::{Code, Rejection};

/// Parameters that are lists: repeated, they are joined. `series[]` is what some clients send for a list.
const LISTS: [&str; 2] = ["series", "agg"];

/// Most bytes of an unknown name that a rejection repeats.
const MAX_REPEATED_BYTES: usize = 64;

/// The decoded parameters of a request, none of them empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters(Vec<(&'static str, String)>);

impl Parameters {
    /// Reads `query`, whose parameters may be those of `known`.
    ///
    /// # Errors
    /// `invalid_field` with the parameter that is unknown, empty, repeated without being a list, or badly encoded.
    pub(crate) fn read(query: &str, known: &[&'static str]) -> Result<Self, Rejection> {
        let mut parameters = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded_name = decoded(name).ok_or_else(|| badly_encoded(shortened(name)))?;
            let Some(name) = known.iter().copied().find(|known| is_named(known, &decoded_name)) else {
                return Err(unknown(&decoded_name, known));
            };
            let value = decoded(value).ok_or_else(|| badly_encoded(name))?;
            if value.is_empty() {
                return Err(Rejection::invalid(name, "must not be empty"));
            }
            if parameters.one(name).is_some() && !LISTS.contains(&name) {
                return Err(Rejection::invalid(name, "must not be repeated"));
            }
            parameters.0.push((name, value));
        }
        Ok(parameters)
    }

    /// The value of a parameter that is no list.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a parameter, in their order.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(own, _)| *own == name).map(|(_, value)| value.as_str())
    }
}

fn is_named(known: &str, name: &str) -> bool {
    known == name || (LISTS.contains(&known) && name.strip_suffix("[]") == Some(known))
}

/// `text` with `+` as a blank and each `%` with its two digits as a byte; `None` if that is not UTF-8.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => 16 * digit(rest.next())? + digit(rest.next())?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: Option<u8>) -> Option<u8> {
    let digit = char::from(byte?).to_digit(16)?;
    u8::try_from(digit).ok()
}

fn badly_encoded(name: &str) -> Rejection {
    Rejection::invalid(name, "must be UTF-8 with % only before two hexadecimal digits, a % itself as %25")
}

fn unknown(name: &str, known: &[&'static str]) -> Rejection {
    let name = shortened(name);
    let message = match (nearest(name, known), known) {
        (Some(near), _) => format!("{name} is not a parameter of this call; did you mean {near}?"),
        (None, []) => format!("{name} is not a parameter of this call, which has none"),
        (None, _) => format!("{name} is not a parameter of this call, which has {}", known.join(", ")),
    };
    Rejection::new(Code::InvalidField, message).at(name)
}

/// The beginning of `name`.
fn shortened(name: &str) -> &str {
    name.get(..name.floor_char_boundary(MAX_REPEATED_BYTES)).unwrap_or_default()
}

/// The known name that `name` is a misspelling of: at most a third of its letters differ, or one contains the other.
fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    const LEAST_SHARED: usize = 3;
    let letters = |name: &str| {
        name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
    };
    let name = letters(name);
    let distance = |known: &'static str| {
        let known = letters(known);
        let is_part =
            name.len().min(known.len()) >= LEAST_SHARED && (known.contains(&name) || name.contains(&known));
        let differing = strsim::damerau_levenshtein(&name, &known);
        (is_part || differing <= known.len() / 3).then_some(differing)
    };
    let near = known.iter().filter_map(|known| Some((distance(known)?, *known)));
    near.min().map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KNOWN: &[&str] = &["timeRange", "from", "to", "step", "series", "agg"];

    fn rejected(query: &str, known: &[&'static str]) -> (String, String) {
        let rejection = Parameters::read(query, known).unwrap_err();
        assert_eq!(rejection.code, Code::InvalidField);
        (rejection.field.unwrap(), rejection.message)
    }

    fn series(query: &str) -> Vec<String> {
        let parameters = Parameters::read(query, KNOWN).unwrap();
        parameters.all("series").map(str::to_owned).collect()
    }

    #[test]
    fn repeated_lists_are_joined() {
        for query in ["series=a&series=b,c", "series[]=a&series%5B%5D=b%2Cc", "&series=a&&to=1&series[]=b,c&"]
        {
            assert_eq!(series(query), ["a", "b,c"], "{query}");
        }
        assert_eq!(series("to=1&"), Vec::<String>::new());
    }

    #[test]
    fn repeated_single_value_is_rejected_by_name() {
        for query in ["to=1&to=2", "to=1&to=1", "to=1&series=a&to=2", "t%6F=1&to=2"] {
            assert_eq!(rejected(query, KNOWN), ("to".to_owned(), "to must not be repeated".to_owned()));
        }
    }

    #[test]
    fn unknown_name_is_rejected_with_the_nearest() {
        for (name, near) in [
            ("timerange", "timeRange"),
            ("time_range", "timeRange"),
            ("timeRagne", "timeRange"),
            ("range", "timeRange"),
            ("timeRange[]", "timeRange"),
            ("From", "from"),
            ("form", "from"),
            ("Series", "series"),
            ("serie", "series"),
            ("series[0]", "series"),
            ("aggregate", "agg"),
            ("aggs", "agg"),
            ("steps", "step"),
        ] {
            let expected = format!("{name} is not a parameter of this call; did you mean {near}?");
            assert_eq!(rejected(&format!("{name}=day"), KNOWN), (name.to_owned(), expected));
        }
        let names = "timeRange, from, to, step, series, agg";
        for name in ["limit", "x", "_", "tz", "è"] {
            let expected = format!("{name} is not a parameter of this call, which has {names}");
            assert_eq!(rejected(&format!("{name}=1"), KNOWN), (name.to_owned(), expected));
        }
        assert_eq!(rejected("a", &[]).1, "a is not a parameter of this call, which has none");
        assert_eq!(rejected(&"è".repeat(100), &[]).0, "è".repeat(32));
    }

    #[test]
    fn empty_value_is_rejected() {
        for query in ["from=", "from", "to=1&from=", "from=&from=1"] {
            assert_eq!(rejected(query, KNOWN), ("from".to_owned(), "from must not be empty".to_owned()));
        }
        assert_eq!(rejected("=1", KNOWN).0, "");
    }

    #[test]
    fn bad_encoding_is_rejected() {
        for value in ["%", "%4", "%zz", "%+1", "a%", "%ff", "%C3", "%c3%28", "%é"] {
            assert_eq!(rejected(&format!("series={value}"), KNOWN).0, "series", "{value}");
        }
        assert_eq!(rejected("%zz=1", KNOWN).0, "%zz");
        assert_eq!(series("series=%C3%A9%25+b%2Bc=d"), ["é% b+c=d"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_rejected_with_a_field(query in ".{0,60}|([a-z]{0,6}[=&%+]{0,2}[0-9a-fA-F]{0,3}){0,9}") {
            match Parameters::read(&query, KNOWN) {
                Ok(parameters) => prop_assert!(parameters.0.iter().all(|(_, value)| !value.is_empty())),
                Err(rejection) => prop_assert!(rejection.field.is_some_and(|field| field.len() <= MAX_REPEATED_BYTES)),
            }
        }

        #[test]
        fn encoded_values_are_read_back(values in prop::collection::vec(".{1,20}", 1..6)) {
            let encoded = |value: &String| value.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
            let query: Vec<String> = values.iter().map(|value| format!("series={}", encoded(value))).collect();
            prop_assert_eq!(series(&query.join("&")), values);
        }
    }
}
