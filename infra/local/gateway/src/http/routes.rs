//! Selects the route of a request: the most specific path first, then a named method before `ANY`.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use crate::template::{HttpRoute, Segment};

/// A route and the values of its path parameters, percent-decoded.
#[derive(Debug)]
pub(crate) struct RouteMatch<'r> {
    pub(crate) route: &'r HttpRoute,
    pub(crate) parameters: BTreeMap<String, String>,
}

pub(crate) fn find<'r>(routes: &'r [HttpRoute], method: &str, path: &str) -> Option<RouteMatch<'r>> {
    let mut best: Option<(Vec<u8>, RouteMatch<'r>)> = None;
    for route in routes {
        if route.method.as_deref().is_some_and(|own| own != method) {
            continue;
        }
        let Some(parameters) = parameters(route, path) else { continue };
        let rank = rank(route);
        if best.as_ref().is_none_or(|(other, _)| rank < *other) {
            best = Some((rank, RouteMatch { route, parameters }));
        }
    }
    best.map(|(_, matched)| matched)
}

/// Smaller is more specific: segment by segment literal, parameter, greedy; then the method; `$default` last.
fn rank(route: &HttpRoute) -> Vec<u8> {
    let Some(path) = &route.path else { return vec![u8::MAX] };
    let segments = path.iter().map(|segment| match segment {
        Segment::Literal(_) => 0,
        Segment::Parameter(_) => 1,
        Segment::Greedy(_) => 2,
    });
    segments.chain([3 + u8::from(route.method.is_none())]).collect()
}

fn parameters(route: &HttpRoute, path: &str) -> Option<BTreeMap<String, String>> {
    let mut parameters = BTreeMap::new();
    let Some(segments) = &route.path else { return Some(parameters) };
    let mut rest = Some(path.strip_prefix('/').unwrap_or(path));
    for segment in segments {
        let left = rest?;
        if let Segment::Greedy(name) = segment {
            if left.is_empty() {
                return None;
            }
            parameters.insert(name.clone(), decoded(left));
            return Some(parameters);
        }
        let (part, after) = match left.split_once('/') {
            Some((part, after)) => (part, Some(after)),
            None => (left, None),
        };
        rest = after;
        match segment {
            Segment::Literal(literal) if *literal == decoded(part) => {}
            Segment::Parameter(name) if !part.is_empty() => {
                parameters.insert(name.clone(), decoded(part));
            }
            Segment::Literal(_) | Segment::Parameter(_) | Segment::Greedy(_) => return None,
        }
    }
    rest.is_none().then_some(parameters)
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(key: &str, path: Option<Vec<Segment>>) -> HttpRoute {
        let method = key.split_once(' ').map(|(method, _)| method.to_owned()).filter(|m| m != "ANY");
        HttpRoute { key: key.into(), method, path, function: "F".into(), authorizer: None }
    }

    fn literal(text: &str) -> Segment {
        Segment::Literal(text.into())
    }

    fn routes() -> Vec<HttpRoute> {
        let id = || Segment::Parameter("id".into());
        let rest = || Segment::Greedy("rest".into());
        vec![
            route("GET /", Some(vec![literal("")])),
            route("ANY /a/{id}", Some(vec![literal("a"), id()])),
            route("GET /a/{id}", Some(vec![literal("a"), id()])),
            route("GET /a/b", Some(vec![literal("a"), literal("b")])),
            route("GET /a/{rest+}", Some(vec![literal("a"), rest()])),
        ]
    }

    fn found(method: &str, path: &str) -> Option<(String, Vec<(String, String)>)> {
        let routes = routes();
        let matched = find(&routes, method, path)?;
        Some((matched.route.key.clone(), matched.parameters.into_iter().collect()))
    }

    fn key(method: &str, path: &str) -> Option<String> {
        found(method, path).map(|(key, _)| key)
    }

    #[test]
    fn most_specific_route_wins() {
        assert_eq!(key("GET", "/").as_deref(), Some("GET /"));
        assert_eq!(key("GET", "/a/b").as_deref(), Some("GET /a/b"));
        assert_eq!(key("GET", "/a/c").as_deref(), Some("GET /a/{id}"));
        assert_eq!(key("POST", "/a/c").as_deref(), Some("ANY /a/{id}"));
        assert_eq!(key("GET", "/a/b/c").as_deref(), Some("GET /a/{rest+}"));
    }

    #[test]
    fn unmatched_requests_are_not_found() {
        for (method, path) in
            [("POST", "/"), ("GET", "/a/"), ("GET", "/a"), ("GET", "/b"), ("POST", "/a/b/c")]
        {
            assert_eq!(key(method, path), None, "{method} {path}");
        }
        let mut all = routes();
        all.push(route("$default", None));
        assert_eq!(find(&all, "POST", "/nowhere").unwrap().route.key, "$default");
        assert_eq!(find(&all, "GET", "/a/b").unwrap().route.key, "GET /a/b");
    }

    #[test]
    fn path_parameters_are_decoded() {
        let one = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        assert_eq!(found("GET", "/a/x%2Fy%20z").unwrap().1, one("id", "x/y z"));
        assert_eq!(found("GET", "/a/x/y%20z").unwrap().1, one("rest", "x/y z"));
    }
}
