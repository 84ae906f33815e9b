//! Content negotiation: which media type and which coding a caller prefers (RFC 9110, sections 12.4.2, 12.5.1, 12.5.3).
//! An answer whose caller accepts nothing that exists is JSON and uncompressed, because old clients send odd headers.

/// The quality of what is accepted without another, in thousandths.
const FULL: u16 = 1_000;

/// The media types of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaType {
    Json,
    Csv,
}

impl MediaType {
    /// The one that `Accept` prefers; JSON if both are the same.
    pub(crate) fn preferred(accept: &str) -> Self {
        let of = |types: [&str; 3]| types.iter().find_map(|one| quality(accept, one)).unwrap_or(0);
        let csv = of(["text/csv", "text/*", "*/*"]);
        let json = of(["application/json", "application/*", "*/*"]);
        if csv > json { Self::Csv } else { Self::Json }
    }
}

/// The content codings that a caller accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Codings {
    /// Whether gzip is accepted, and not less than no coding.
    pub(crate) gzip: bool,
    /// Whether no coding is accepted.
    pub(crate) identity: bool,
}

impl Codings {
    /// Those of `Accept-Encoding`.
    pub(crate) fn accepted(accept_encoding: &str) -> Self {
        let any = quality(accept_encoding, "*");
        let named = quality(accept_encoding, "gzip").or_else(|| quality(accept_encoding, "x-gzip"));
        let gzip = named.or(any).unwrap_or(0);
        let named_identity = quality(accept_encoding, "identity");
        Self {
            gzip: gzip > 0 && named_identity.is_none_or(|identity| identity <= gzip),
            // It is accepted unless it is excluded.
            identity: named_identity.or(any) != Some(0),
        }
    }
}

/// The quality of the element `name` of a header, in any case; `None` if the header does not have it.
fn quality(header: &str, name: &str) -> Option<u16> {
    header.split(',').find_map(|element| {
        let mut parts = element.split(';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case(name) {
            return None;
        }
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some(weight.map_or(FULL, thousandths))
    })
}

/// A weight from 0 to 1 in thousandths. One that is malformed accepts nothing.
fn thousandths(weight: &str) -> u16 {
    let weight = weight.parse::<f32>().ok().filter(|weight| (0.0..=1.0).contains(weight));
    // In range, so the cast cuts off nothing.
    weight.map_or(0, |weight| (weight * f32::from(FULL)).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_type_is_chosen_by_quality_and_whole_type() {
        for accept in [
            "text/csv",
            "TEXT/CSV",
            "text/*",
            "text/csv;header=present",
            "text/csv ; q=0.5, application/json;q=0.4",
            "application/json;q=0.5,text/csv",
            "*/*;q=0.1, text/csv",
            "text/csv, application/json;q=0, */*",
            "application/json;q=0, */*",
        ] {
            assert_eq!(MediaType::preferred(accept), MediaType::Csv, "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "application/json",
            "application/json, text/plain, */*",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/csv, application/json",
            "text/csv;q=0",
            "text/csv;q=0, application/json",
            "text/*, text/csv;q=0",
            "text/csv;q=0.000, */*;q=0.001",
            "text/csvx",
            "x-text/csv",
            "application/text/csv",
            "text/csv;q=NaN",
            "text/csv;q=2",
            "text/plain",
            "image/png",
            ",;=,",
        ] {
            assert_eq!(MediaType::preferred(accept), MediaType::Json, "{accept}");
        }
    }

    #[test]
    fn codings_are_accepted_by_quality() {
        for (header, gzip, identity) in [
            ("", false, true),
            ("gzip", true, true),
            ("GZIP, deflate, br", true, true),
            ("x-gzip", true, true),
            ("br;q=1.0, gzip;q=0.8, *;q=0.1", true, true),
            ("*", true, true),
            ("gzip;q=0", false, true),
            ("gzip;q=0, *", false, true),
            ("deflate, br", false, true),
            ("identity", false, true),
            ("gzip;q=0.5, identity", false, true),
            ("gzip;q=0.5, identity;q=0.5", true, true),
            ("identity;q=0, gzip", true, false),
            ("*;q=0", false, false),
            ("*;q=0, gzip", true, false),
            ("*;q=0, identity", false, true),
            ("gzipx", false, true),
        ] {
            assert_eq!(Codings::accepted(header), Codings { gzip, identity }, "{header}");
        }
    }
}
