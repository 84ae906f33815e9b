//! The document against a recorded one of the library, and against the limits of a report.

use super::*;
use serde_json::Value;

/// A document that the library sent from a Windows host: its keys are what counts.
const LIBRARY_DOCUMENT: &str = include_str!("../../../../tests/fixtures/metrics-windows-host.json");

/// Most bytes of a report, as minified JSON.
const MAX_REPORT_BYTES: usize = 14 * 1024;

/// Most numeric leaves of a report.
const MAX_LEAVES: usize = 512;

fn look() -> Value {
    let mut host = Host::new().unwrap();
    std::thread::sleep(SETTLING_TIME);
    serde_json::to_value(host.look()).unwrap()
}

/// Every key of `wanted` stands in `found` with the same kind of value, but for those that `is_absent` names.
fn check_shape(wanted: &Value, found: &Value, path: &str, is_absent: &dyn Fn(&str) -> bool) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) if path == ".network.interfaces" => {
            let template = wanted.values().next().unwrap();
            for (name, interface) in found {
                check_shape(template, interface, &format!("{path}.{name}"), is_absent);
            }
        }
        (Value::Object(wanted), Value::Object(found)) => {
            for (key, value) in wanted {
                let path = format!("{path}.{key}");
                if is_absent(&path) {
                    assert!(found.get(key).is_none(), "{path} is there after all");
                } else {
                    check_shape(value, found.get(key).unwrap_or(&Value::Null), &path, is_absent);
                }
            }
        }
        (Value::Array(wanted), Value::Array(found)) => assert_eq!(wanted.len(), found.len(), "{path}"),
        (Value::Number(_), Value::Number(_)) => {}
        _ => panic!("{path}: {found} stands where {wanted} is expected"),
    }
}

fn count_leaves(value: &Value) -> usize {
    match value {
        Value::Object(fields) => fields.values().map(count_leaves).sum(),
        Value::Array(values) => values.iter().map(count_leaves).sum(),
        Value::Number(_) => 1,
        _ => 0,
    }
}

#[test]
fn document_has_the_librarys_shape() {
    let wanted = serde_json::from_str(LIBRARY_DOCUMENT).unwrap();
    let heap = ["heapTotal", "heapUsed", "external", "arrayBuffers"];
    let absent = |path: &str| {
        heap.iter().any(|figure| path == format!(".process.memoryUsage.{figure}"))
            || [".activeConnections", ".messageRate", ".errorRate"].contains(&path)
    };
    check_shape(&wanted, &look(), "", &absent);
}

#[test]
fn figures_are_plausible() {
    let document = look();
    let number = |pointer: &str| document.pointer(pointer).and_then(Value::as_f64).unwrap();
    assert!((0.0..=100.0).contains(&number("/cpu/usage")), "{document}");
    assert!(number("/cpu/cores") >= 1.0);
    assert!(number("/memory/total") > 0.0);
    assert_eq!(number("/memory/used") + number("/memory/free"), number("/memory/total"));
    assert!(number("/process/memoryUsage/rss") > 0.0, "{document}");
    assert!(number("/processes/total") >= 1.0);
}

#[test]
fn host_with_hundreds_of_interfaces_stays_legal() {
    let many = (0..700_u64).map(|index| {
        let total = u64::MAX / 2 - index;
        let counters = Counters {
            bytes_received: total,
            bytes_sent: total,
            packets_received: total,
            packets_sent: total,
        };
        (format!("{index}-{}", "veth".repeat(60)), counters)
    });
    let mut document = look();
    *document.pointer_mut("/network/interfaces").unwrap() = serde_json::to_value(busiest(many)).unwrap();
    assert!(count_leaves(&document) <= MAX_LEAVES);
    let bytes = serde_json::to_vec(&document).unwrap().len();
    assert!(bytes <= MAX_REPORT_BYTES, "{bytes} bytes");
}

#[test]
fn busiest_interfaces_are_kept() {
    let interfaces = (0..100_u64)
        .map(|index| (format!("i{index}"), Counters { bytes_received: index, ..Counters::default() }));
    let kept = busiest(interfaces);
    assert_eq!(kept.len(), MAX_INTERFACES);
    assert!(kept.contains_key("i99") && !kept.contains_key("i0"));
}

#[test]
fn long_name_is_cut_at_a_character() {
    let name = "é".repeat(200);
    let kept = busiest([(name, Counters::default())].into_iter());
    assert_eq!(kept.keys().next().unwrap().len(), MAX_INTERFACE_NAME);
}

#[test]
fn memory_never_shows_more_free_than_there_is() {
    let memory = memory(100, 200);
    assert_eq!((memory.used, memory.free), (0, 100));
    assert!(super::memory(0, 0).usage_percent.abs() < f64::EPSILON);
}

#[test]
fn host_name_becomes_an_id() {
    assert_eq!(as_source("web-1.example.org"), "web-1.example.org");
    assert_eq!(as_source("Ann's Mac é"), "Ann-s-Mac--");
    assert_eq!(as_source(""), "host");
    assert!(crate::wire::is_id(&as_source(&"x".repeat(500))));
    assert!(crate::wire::is_id(&source_name()));
}
