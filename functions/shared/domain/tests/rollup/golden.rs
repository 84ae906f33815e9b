//! Bytes of every version of the encoding decode to the same values as when they were written.
//!
//! Files of `tests/golden` are added, never edited: a `.bin` with the bytes and a `.json` with the decoded values. A
//! change of the encoding needs a new version and new files.

use std::fs;
use std::path::{Path, PathBuf};

use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{ENCODING, Rollup, RollupSpan};
use nsl_domain::time::TimestampMs;
use serde_json::{Map, Value, json};

use nsl_test_support::hosts::{Host, Kind, hour, span};

const QUANTILES: [f64; 4] = [0.05, 0.5, 0.95, 0.99];
/// Quantiles use the machine's `exp`, which may round differently elsewhere.
const ROUNDING: f64 = 1e-12;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The values of a rollup, without its quantiles.
fn values_of(rollup: &Rollup) -> Value {
    let series = rollup.series().map(|(name, bucket)| {
        let at = bucket.last_origin();
        let last_at = json!([at.time.ms(), at.source.as_str(), format!("{:016x}", at.hash)]);
        let figures = json!({
            "count": bucket.count(), "sum": bucket.sum(), "min": bucket.min(), "max": bucket.max(),
            "last": bucket.last(), "lastAt": last_at, "level": bucket.sketch().level(),
        });
        (name.to_owned(), figures)
    });
    json!({
        "seconds": rollup.span().resolution().seconds(),
        "start": rollup.span().start().ms(),
        "through": rollup.through().ms(),
        "reports": rollup.reports(),
        "sources": rollup.sources().names().map(|source| source.as_str()).collect::<Vec<_>>(),
        "areMoreSources": rollup.sources().has_more(),
        "isCut": rollup.is_truncated(),
        "series": Map::from_iter(series),
    })
}

/// The quantiles at rank `floor(q * (count - 1))`, from 0, which the files contain.
fn quantiles(rollup: &Rollup) -> Vec<f64> {
    let of_series = |(_, bucket): (&str, &nsl_domain::bucket::Bucket)| {
        let count = bucket.count() as f64;
        QUANTILES.map(|q| bucket.quantile(((q * (count - 1.0)).floor() + 0.5) / count))
    };
    rollup.series().flat_map(of_series).collect()
}

/// One value of each form of the encoding, some of them in other reports than the rest.
fn wild() -> Rollup {
    let now = TimestampMs::clamped(2_000_000_000_000);
    let minute = span(Resolution::Minute, 0);
    let mut builder = nsl_domain::rollup::MinuteBuilder::new(minute);
    let documents = [
        r#"{"a":{"b":-1.5,"c":0},"é":1e300,"cpu":{"usage":12.5},"":7}"#,
        r#"{"a":{"b":1e-12,"c":0},"é":-1e-300,"cpu":{"usage":99.25},"x.y":{"z":[1,2,3]}}"#,
        r#"{"a":{"b":4096,"c":0},"cpu":{"usage":12.5},"memory":{"used":8438513664}}"#,
    ];
    for (index, document) in (0_i64..).zip(documents.iter().cycle().take(20)) {
        let source = nsl_domain::ids::Source::new(format!("host-{index:02}")).unwrap();
        let hash = index.cast_unsigned() * 0x0123_4567_89AB_CDEF;
        builder.add(minute.start().plus_ms(index * 997), &source, hash, document).unwrap();
    }
    let ten = Rollup::from_finer(span(Resolution::TenMinutes, 0), &[builder.finish()], now).unwrap();
    Rollup::from_finer(span(Resolution::Hour, 0), &[ten], now).unwrap()
}

/// Rollups that this version writes, by the name of their file.
fn current_rollups() -> [(String, Rollup); 4] {
    let mut linux = [Host::new(Kind::Linux, 1)];
    let mut mixed = [Host::new(Kind::Windows, 2), Host::new(Kind::Linux, 3), Host::new(Kind::Windows, 4)];
    let [mut minutes, ..] = hour(&mut linux, 1);
    let [.., mut hours] = hour(&mut mixed, 1);
    let rollups = [
        ("empty", Rollup::empty(span(Resolution::Day, 0))),
        ("minute", minutes.remove(0)),
        ("hour", hours.remove(0)),
        ("wild", wild()),
    ];
    rollups.map(|(name, rollup)| (format!("v{ENCODING}-{name}"), rollup))
}

fn span_of(values: &Value) -> (RollupSpan, TimestampMs) {
    let resolution = Resolution::at_least(values["seconds"].as_i64().unwrap()).unwrap();
    let instant = |name: &str| TimestampMs::clamped(values[name].as_i64().unwrap());
    (RollupSpan::containing(resolution, instant("start")), instant("through"))
}

#[test]
fn this_version_has_golden_files() {
    for (name, mut rollup) in current_rollups() {
        let (bytes, text) = (folder().join(format!("{name}.bin")), folder().join(format!("{name}.json")));
        if !bytes.exists() {
            let mut values = values_of(&rollup);
            values["quantiles"] = json!(quantiles(&rollup));
            fs::create_dir_all(folder()).unwrap();
            fs::write(&bytes, rollup.to_bytes().unwrap()).unwrap();
            fs::write(&text, format!("{values:#}\n")).unwrap();
            panic!("{name} was missing and has been written: check it and add it");
        }
    }
}

#[test]
fn golden_files_decode_to_their_recorded_values() {
    let mut read = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "bin") {
            let bytes = fs::read(&path).unwrap();
            let mut expected: Value =
                serde_json::from_str(&fs::read_to_string(path.with_extension("json")).unwrap()).unwrap();
            let (span, through) = span_of(&expected);
            let mut rollup = Rollup::from_bytes(span, through, &bytes).unwrap();
            let quantiles = quantiles(&rollup);
            let recorded: Vec<f64> = serde_json::from_value(expected["quantiles"].take()).unwrap();
            assert_eq!(recorded.len(), quantiles.len());
            let near = |(left, right): (&f64, &f64)| (left - right).abs() <= left.abs() * ROUNDING;
            assert!(
                recorded.iter().zip(&quantiles).all(near),
                "{}: {recorded:?} {quantiles:?}",
                path.display()
            );
            expected.as_object_mut().unwrap().remove("quantiles");
            assert_eq!(values_of(&rollup), expected, "{}", path.display());
            if bytes[0] == ENCODING {
                assert_eq!(rollup.to_bytes().unwrap(), bytes, "{}", path.display());
            }
            read += 1;
        }
    }
    assert!(read >= 4, "the golden files were not found");
}
