//! Any query of an event is read or rejected: `PROPTEST_CASES=1000000` runs it as a fuzzer.

use lambda_http::Request;
use lambda_http::request::LambdaRequest;
use nsl_domain::history::HistoryQuery;
use nsl_domain::rejection::{Code, Rejection};
use nsl_domain::rollup::Retention;
use nsl_domain::window::MAX_POINTS;
use proptest::prelude::*;

use super::*;
use crate::event::encode_query;
use crate::query_string::Parameters;

fn request(query: &str) -> Request {
    let event = events::http_call(METRICS, ("/apps/shop/metrics", query), &[("appId", "shop")], &[], None);
    let mut event: LambdaRequest = serde_json::from_value(event).unwrap();
    encode_query(&mut event);
    event.into()
}

fn read(query: &str) -> Result<HistoryQuery, Rejection> {
    let request = request(query);
    let parameters = Parameters::read(request.uri().query().unwrap_or_default(), HistoryQuery::PARAMETERS)?;
    HistoryQuery::read(|name| parameters.all(name).collect(), &Retention::default(), now())
}

/// Names and values that are valid, nearly valid and neither.
fn any_query() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        8 => prop::sample::select(HistoryQuery::PARAMETERS).prop_map(str::to_owned),
        1 => prop::sample::select(&["timerange", "series[]", "agg%5B%5D", "series[0]", "", "%zz"][..]).prop_map(str::to_owned),
        1 => ".{0,8}",
    ];
    let value = prop_oneof![
        2 => any::<i64>().prop_map(|number| number.to_string()),
        3 => (NOW_MS - 40 * 86_400_000..NOW_MS + 86_400_000).prop_map(|ms| ms.to_string()),
        1 => any::<f64>().prop_map(|number| number.to_string()),
        3 => (0..400_i64).prop_map(|days| TimestampMs::clamped(NOW_MS - days * 86_400_000).to_string()),
        1 => "20[0-9]{2}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9]:[0-5][0-9]([Z+ -]|%2B)[0-9]{0,2}:?[0-9]{0,2}",
        1 => prop::sample::select(&["hour", "day", "week", "year", "60", "600", "86400", "avg,p95", "sum"][..]).prop_map(str::to_owned),
        1 => "([a-z.,*]|%[0-9a-fA-F]{0,2}){0,12}",
        1 => ".{0,12}",
    ];
    let pair =
        (name, prop_oneof![9 => Just("="), 1 => prop::sample::select(&["", "==", "=&", "=%"][..])], value)
            .prop_map(|(name, sign, value)| format!("{name}{sign}{value}"));
    prop::collection::vec(pair, 0..5).prop_map(|pairs| pairs.join("&"))
}

#[test]
fn query_that_cannot_be_a_uri_is_read() {
    assert!(read("series=<b>&series=\"é\"").is_ok());
    let rejected = read("series=a#&frm=1").unwrap_err();
    assert_eq!(rejected.field.as_deref(), Some("frm"), "what follows a # is read too");
}

proptest! {
    #[test]
    fn any_query_is_read_or_rejected_with_its_field(query in any_query()) {
        match read(&query) {
            Ok(read) => {
                let window = read.span.window;
                prop_assert!(window.from() < window.to() && window.points() <= MAX_POINTS, "{}", query);
            }
            Err(rejected) => {
                prop_assert!(matches!(rejected.code, Code::InvalidField | Code::MissingField), "{}", query);
                prop_assert!(rejected.field.is_some() && rejected.message.len() < 300, "{}", query);
            }
        }
    }
}
