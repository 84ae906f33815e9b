//! Makes every event convertible: lambda_http panics on a query that cannot be a part of a URI, such as `series=<b>`.

use std::fmt::Write;

use lambda_http::LambdaEvent;
use lambda_http::request::LambdaRequest;

/// The event with its query percent-encoded where a URI demands it, which changes no parameter.
#[must_use]
pub fn convertible(mut event: LambdaEvent<LambdaRequest>) -> LambdaEvent<LambdaRequest> {
    encode_query(&mut event.payload);
    event
}

pub(crate) fn encode_query(event: &mut LambdaRequest) {
    if let LambdaRequest::ApiGatewayV2(event) = event {
        event.raw_query_string = event.raw_query_string.take().map(|query| encoded(&query));
    }
}

fn encoded(query: &str) -> String {
    let mut encoded = String::with_capacity(query.len());
    for character in query.chars() {
        if character.is_ascii_graphic() && !matches!(character, '<' | '>' | '"' | '#') {
            encoded.push(character);
            continue;
        }
        for byte in character.encode_utf8(&mut [0; 4]).bytes() {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_uri_cannot_have_is_encoded() {
        let valid = "series=a,b.*&from=2026-11-22T13:00:00%2B01:00&x=+!$&'()*;:@/?[]{}|^`\\~_-%zz";
        assert_eq!(encoded(valid), valid);
        assert_eq!(encoded("<\"é#\n \u{7f}>"), "%3C%22%C3%A9%23%0A%20%7F%3E");
    }
}
