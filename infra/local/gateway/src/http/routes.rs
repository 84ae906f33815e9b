//! Selects the route of a request: the most specific path first, then a named method before `ANY`.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use crate::template::HttpRoute;

/// A route and the values of its path parameters, percent-decoded.
#[derive(Debug)]
pub(crate) struct RouteMatch<'r> {
    pub(crate) route: &'r HttpRoute,
    pub(crate) parameters: BTreeMap<String, String>,
}

pub(crate) fn find<'r>(routes: &'r [HttpRoute], method: &str, path: &str) -> Option<RouteMatch<'r>> {
    let of_method = routes.iter().filter(|route| route.method.as_deref().is_none_or(|own| own == method));
    let matching =
        of_method.filter_map(|route| Some(RouteMatch { route, parameters: parameters(route, path)? }));
    matching.min_by_key(|matched| rank(matched.route))
}

/// Smaller is more specific: segment by segment literal, parameter, greedy; then the method; `$default` last.
fn rank(route: &HttpRoute) -> Vec<u8> {
    let Some(path) = &route.path else { return vec![u8::MAX] };
    let segments = path.split('/').map(|segment| match parameter_name(segment) {
        None => 0,
        Some(name) if !name.ends_with('+') => 1,
        Some(_) => 2,
    });
    segments.chain([3 + u8::from(route.method.is_none())]).collect()
}

fn parameters(route: &HttpRoute, path: &str) -> Option<BTreeMap<String, String>> {
    let mut parameters = BTreeMap::new();
    let Some(pattern) = &route.path else { return Some(parameters) };
    let mut parts = path.split('/');
    for segment in pattern.split('/') {
        let Some(name) = parameter_name(segment) else {
            if decoded(parts.next()?) == segment {
                continue;
            }
            return None;
        };
        let (name, value) = match name.strip_suffix('+') {
            Some(name) => (name, parts.by_ref().collect::<Vec<_>>().join("/")),
            None => (name, parts.next()?.to_owned()),
        };
        if value.is_empty() {
            return None;
        }
        parameters.insert(name.to_owned(), decoded(&value));
    }
    parts.next().is_none().then_some(parameters)
}

/// `id` for the segment `{id}`, `rest+` for `{rest+}`, which takes the rest of the path.
fn parameter_name(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(key: &str) -> HttpRoute {
        let (method, path) = key.split_once(' ').unzip();
        HttpRoute {
            key: key.into(),
            method: method.filter(|method| *method != "ANY").map(str::to_owned),
            path: path.map(str::to_owned),
            function: "F".into(),
            authorizer: None,
        }
    }

    const KEYS: [&str; 5] = ["GET /", "ANY /a/{id}", "GET /a/{id}", "GET /a/b", "GET /a/{rest+}"];

    fn found(method: &str, path: &str) -> Option<(String, Vec<(String, String)>)> {
        let routes = KEYS.map(route);
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
        let routes = ["GET /a/b", "$default"].map(route);
        assert_eq!(find(&routes, "POST", "/nowhere").unwrap().route.key, "$default");
        assert_eq!(find(&routes, "GET", "/a/b").unwrap().route.key, "GET /a/b");
    }

    #[test]
    fn path_parameters_are_decoded() {
        let one = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        assert_eq!(found("GET", "/a/x%2Fy%20z").unwrap().1, one("id", "x/y z"));
        assert_eq!(found("GET", "/a/x/y%20z").unwrap().1, one("rest", "x/y z"));
    }
}
