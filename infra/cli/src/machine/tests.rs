//! The metrics, compared with a recorded document of the library and with the limits of a report.

use super::*;
use serde_json::Value;

/// A document that the library sent from a Windows host.
const LIBRARY_DOCUMENT: &str = include_str!("../../../../tests/fixtures/metrics-windows-host.json");

/// Limit of a report in bytes of minified JSON.
const MAX_REPORT_BYTES: usize = 14 * 1024;

/// Limit of numbers in a report.
const MAX_LEAVES: usize = 512;

fn document() -> Value {
    let mut machine = Machine::new().unwrap();
    std::thread::sleep(MIN_CPU_INTERVAL);
    serde_json::to_value(machine.metrics()).unwrap()
}

/// Asserts that `found` has every key of `expected` with the same type of value, except those that are absent.
fn check_shape(expected: &Value, found: &Value, path: &str, is_absent: &dyn Fn(&str) -> bool) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) if path == ".network.interfaces" => {
            let template = expected.values().next().unwrap();
            for (name, interface) in found {
                check_shape(template, interface, &format!("{path}.{name}"), is_absent);
            }
        }
        (Value::Object(expected), Value::Object(found)) => {
            for (key, value) in expected {
                let path = format!("{path}.{key}");
                if is_absent(&path) {
                    assert!(found.get(key).is_none(), "{path} is present");
                } else {
                    check_shape(value, found.get(key).unwrap_or(&Value::Null), &path, is_absent);
                }
            }
        }
        (Value::Array(expected), Value::Array(found)) => assert_eq!(expected.len(), found.len(), "{path}"),
        (Value::Number(_), Value::Number(_)) => {}
        _ => panic!("{path}: {found} instead of {expected}"),
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
fn document_has_the_shape_of_the_library() {
    let expected = serde_json::from_str(LIBRARY_DOCUMENT).unwrap();
    let heap = ["heapTotal", "heapUsed", "external", "arrayBuffers"];
    let absent = |path: &str| {
        heap.iter().any(|figure| path == format!(".process.memoryUsage.{figure}"))
            || [".activeConnections", ".messageRate", ".errorRate"].contains(&path)
    };
    check_shape(&expected, &document(), "", &absent);
}

#[test]
fn values_are_plausible() {
    let document = document();
    let number = |pointer: &str| document.pointer(pointer).and_then(Value::as_f64).unwrap();
    assert!((0.0..=100.0).contains(&number("/cpu/usage")), "{document}");
    assert!(number("/cpu/cores") >= 1.0);
    assert!(number("/memory/total") > 0.0);
    assert_eq!(number("/memory/used") + number("/memory/free"), number("/memory/total"));
    assert!(number("/process/memoryUsage/rss") > 0.0, "{document}");
    assert!(number("/processes/total") >= 1.0);
}

#[test]
fn hundreds_of_interfaces_stay_within_the_limits() {
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
    let mut document = document();
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
fn long_name_is_cut_between_characters() {
    let name = "é".repeat(200);
    let kept = busiest([(name, Counters::default())].into_iter());
    assert_eq!(kept.keys().next().unwrap().len(), MAX_INTERFACE_NAME);
}

#[test]
fn free_memory_is_at_most_the_total() {
    let memory = memory(100, 200);
    assert_eq!((memory.used, memory.free), (0, 100));
    assert!(super::memory(0, 0).usage_percent.abs() < f64::EPSILON);
}

#[test]
fn host_name_becomes_an_id() {
    assert_eq!(as_source("web-1.example.org"), "web-1.example.org");
    assert_eq!(as_source("Ann's Mac é"), "Ann-s-Mac--");
    assert_eq!(as_source(""), "host");
    assert!(Source::new(as_source(&"x".repeat(500))).is_ok());
    assert!(Source::new(source_name()).is_ok());
}
