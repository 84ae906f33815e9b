//! Frames recorded from the published library, with the ids of an application and current timestamps.

use std::sync::LazyLock;

use jiff::Timestamp;
use serde_json::Value;

use super::{App, iso};

const LIBRARY_FRAMES: &str = include_str!("../../fixtures/library-frames.jsonl");
const WINDOWS_DOCUMENT: &str = include_str!("../../fixtures/metrics-windows-host.json");

/// The recorded frames other than reports, with the ids of `app`, in the recorded order.
pub(crate) fn recorded_other_frames(app: &App) -> Vec<Value> {
    let recorded =
        LIBRARY_FRAMES.lines().map(|line| serde_json::from_str(line).expect("a recorded frame is JSON"));
    let mut frames: Vec<Value> = recorded.filter(|frame: &Value| frame["type"] != "send_metrics").collect();
    for frame in &mut frames {
        frame["data"]["appId"] = app.app_id.clone().into();
        frame["data"]["userId"] = app.user_id.clone().into();
    }
    frames
}

/// The recorded `send_metrics` frames with the ids of `app`, and timestamps shifted so that the last is `last_ms`.
pub(crate) fn library_frames(app: &App, last_ms: i64) -> Vec<Value> {
    let mut frames = recorded_frames();
    let shift = last_ms - frames.iter().map(recorded_ms).max().expect("frames were recorded");
    for frame in &mut frames {
        let stamp = iso(recorded_ms(frame) + shift);
        frame["data"]["timestamp"] = stamp.into();
        frame["data"]["appId"] = app.app_id.clone().into();
        frame["data"]["userId"] = app.user_id.clone().into();
    }
    frames
}

/// The recorded metrics documents of a Linux host and a Windows host.
pub(crate) fn recorded_documents() -> &'static [Value] {
    static DOCUMENTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let windows = serde_json::from_str(WINDOWS_DOCUMENT).expect("a recorded document is JSON");
        let frames = recorded_frames();
        frames.into_iter().map(|mut frame| frame["data"]["metrics"].take()).chain([windows]).collect()
    });
    &DOCUMENTS
}

fn recorded_frames() -> Vec<Value> {
    let recorded =
        LIBRARY_FRAMES.lines().map(|line| serde_json::from_str(line).expect("a recorded frame is JSON"));
    recorded.filter(|frame: &Value| frame["type"] == "send_metrics").collect()
}

fn recorded_ms(frame: &Value) -> i64 {
    let stamp: Timestamp =
        frame["data"]["timestamp"].as_str().and_then(|text| text.parse().ok()).expect("a stamp");
    stamp.as_millisecond()
}
