//! Programs that are admitted by the ids of their reports: what each is sent, what a refused one costs, and from when on
//! its reports are stored.

use nsl_aws::counters::Counter;
use nsl_domain::legacy::notice::Notice;
use nsl_domain::legacy::session::{ATTEMPT_EVERY_MS, WRONG_FOR_MS};

use super::*;

const READ_SESSION: &str = "GetItem ConnectionsTable consistent";
const READ_APP: &str = "GetItem AppsTable consistent";
const READ_COUNT: &str = "GetItem ConnectionsTable consistent";
const STORE_GRANT: &str = "UpdateItem ConnectionsTable";
const PUT_PUBLISHER: &str = "PutItem ConnectionsTable";
const ADD: &str = "UpdateItem ConnectionsTable";
const WRITE_SOURCE: &str = "UpdateItem ConnectionsTable";
const NOTE_CHECK: &str = "UpdateItem ConnectionsTable";
const CLAIM_NOTICE: &str = "UpdateItem ConnectionsTable";
const STORE: &str = "PutItem ReportsTable";
const READ_SUBSCRIBERS: &str = "Query ConnectionsTable consistent";

/// A frame of the library, the `n`th of its process, of `user` about `app`.
pub(super) fn library_report(user: &str, app: &str, n: i64) -> String {
    let metrics = json!({"n": n, "cpu": {"usage": 61.4}});
    let data =
        json!({"userId": user, "appId": app, "metrics": metrics, "timestamp": NOW_MS + n * 1_000 + 250});
    json!({"type": "send_metrics", "data": data}).to_string()
}

fn success() -> Value {
    json!({"type": "auth_success", "payload": {"appId": "shop", "userId": "ann"}})
}

fn notice(notice: Notice) -> Value {
    json!({"type": "command", "data": {"type": notice.text()}})
}

impl World {
    /// One with a program connected as [`PUBLISHER`], which has not authenticated.
    async fn with_program() -> Self {
        let world = Self::start().await;
        world.env.publishers().has_connection_room(&id("shop"), 1, now()).await.unwrap();
        world.open(PUBLISHER, None).await;
        world
    }

    /// The frames that [`PUBLISHER`] was sent since the last look.
    fn sent(&self) -> Vec<Value> {
        let frames = self.env.frames(PUBLISHER);
        self.env.take_calls();
        frames
    }
}

/// Sends the `n`th report of the library and its copy, at their time.
async fn tick(ingest: &Ingest, n: i64) {
    for copy_ms in [0, 5] {
        ingest.receive_at(&library_report("ann", "shop", n), NOW_MS + n * 1_000 + copy_ms).await;
    }
}

#[tokio::test]
async fn report_before_auth_costs_its_admission_once_and_is_stored() {
    let world = World::with_program().await;
    let ingest = world.instance();
    ingest.receive(&library_report("ann", "shop", 0)).await;
    let admission = [READ_SESSION, READ_APP, READ_COUNT, STORE_GRANT, PUT_PUBLISHER, ADD];
    let mut lines = world.env.take_lines();
    assert_eq!(lines.drain(..6).collect::<Vec<_>>(), admission);
    lines.sort();
    let mut stored = [&format!("POST {PUBLISHER}"), STORE, READ_SUBSCRIBERS, WRITE_SOURCE];
    stored.sort_unstable();
    assert_eq!(lines, stored);
    ingest.receive_at(&library_report("ann", "shop", 1), NOW_MS + 1_000).await;
    assert_eq!(world.env.take_lines(), [STORE, READ_SUBSCRIBERS]);
    assert_eq!(world.stored().await, 2);
}

#[tokio::test]
async fn one_of_many_reports_at_once_is_answered_and_each_is_stored() {
    let world = World::with_program().await;
    let instances: Vec<Ingest> = (0..8).map(|_| world.instance()).collect();
    let frames: Vec<String> = (0..8).map(|n| library_report("ann", "shop", n)).collect();
    let received = instances.iter().zip(&frames).map(|(one, frame)| one.receive(frame));
    futures_util::future::join_all(received).await;
    assert_eq!(world.sent(), [success()]);
    assert_eq!(world.stored().await, 8);
    assert_eq!(world.env.publishers().of_app(&id("shop"), now()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn library_resumes_within_ten_seconds_of_every_change_of_its_app() {
    for (changed, expected) in [
        (App { status: Status::Inactive, ..app("shop", Status::Active) }, Notice::SwitchedOff),
        (App { legacy: false, ..app("shop", Status::Active) }, Notice::Unproved),
    ] {
        let world = World::with_program().await;
        tick(&world.instance(), 0).await;
        assert_eq!((world.sent(), world.stored().await), (vec![success()], 1));
        world.replace_shop(&changed).await;
        let ingest = world.instance();
        for n in 1..60 {
            tick(&ingest, n).await;
        }
        assert_eq!((world.sent(), world.stored().await), (vec![notice(expected)], 1), "{expected:?}");
        world.replace_shop(&app("shop", Status::Active)).await;
        for n in 60..71 {
            tick(&ingest, n).await;
        }
        assert_eq!(world.sent(), [json!(null); 0], "{expected:?}");
        assert!(world.stored().await >= 2, "{expected:?}");
    }
}

#[tokio::test]
async fn library_resumes_once_its_app_is_created() {
    let world = World::with_program().await;
    let ingest = world.instance();
    let report = |n| library_report("ann", "late", n);
    for n in 0..30 {
        ingest.receive_at(&report(n), NOW_MS + n * 1_000).await;
    }
    assert_eq!((world.sent(), world.stored().await), (vec![notice(Notice::Unproved)], 0));
    world.env.register(&app("late", Status::Active)).await;
    for n in 30..41 {
        ingest.receive_at(&report(n), NOW_MS + n * 1_000).await;
    }
    assert_eq!(world.sent()[0]["type"], "auth_success");
    assert!(world.stored().await >= 1);
}

#[tokio::test]
async fn switched_off_app_costs_no_error_and_few_reads() {
    let world = World::with_program().await;
    tick(&world.instance(), 0).await;
    world.replace_shop(&App { status: Status::Inactive, ..app("shop", Status::Active) }).await;
    let ingest = world.instance();
    for n in 0..600 {
        tick(&ingest, n).await;
    }
    assert_eq!(world.env.frames(PUBLISHER), [notice(Notice::SwitchedOff)]);
    let lines = world.env.take_lines();
    let reads = lines.iter().filter(|line| line.starts_with("GetItem")).count();
    assert!(reads <= 60 * 4, "{reads} reads of 1,200 frames");
    let writes = lines.iter().filter(|line| line.starts_with("UpdateItem")).count();
    assert_eq!(writes, 1, "the claim of the notice");
    assert_eq!(ingest.counters.total(Counter::rejections(nsl_domain::rejection::Code::AppInactive)), 1_200);
}

#[tokio::test]
async fn refused_program_costs_a_read_a_second_and_a_check_in_ten() {
    let world = World::with_program().await;
    let ingest = world.instance();
    let wrong = |n| library_report("bob", "shop", n);
    ingest.receive(&wrong(0)).await;
    assert_eq!(world.env.take_lines(), [READ_SESSION, READ_APP, NOTE_CHECK], "its auth may be under way");
    for n in 1..100 {
        ingest.receive_at(&wrong(0), NOW_MS + n * 100).await;
    }
    let lines = world.env.take_lines();
    assert!(lines.iter().all(|line| line == READ_SESSION) && lines.len() <= 20, "{lines:?}");
    ingest.receive_at(&wrong(0), NOW_MS + ATTEMPT_EVERY_MS + 1_000).await;
    let post = format!("POST {PUBLISHER}");
    assert_eq!(world.env.take_lines(), [READ_SESSION, READ_APP, NOTE_CHECK, CLAIM_NOTICE, &post]);
    world.instance().receive_at(&wrong(0), NOW_MS + ATTEMPT_EVERY_MS + 1_001).await;
    assert_eq!(world.env.take_lines(), [READ_SESSION], "checked once over all instances");
}

#[tokio::test]
async fn refused_program_is_closed_after_ten_minutes() {
    let world = World::with_program().await;
    let ingest = world.instance();
    ingest.receive(&library_report("bob", "shop", 0)).await;
    for (at_ms, closes) in [(WRONG_FOR_MS - 1, 0), (WRONG_FOR_MS, 1)] {
        world.env.take_calls();
        ingest.receive_at(&library_report("bob", "shop", 0), NOW_MS + at_ms).await;
        let closed = world.env.take_lines().iter().filter(|line| line.starts_with("DELETE")).count();
        assert_eq!(closed, closes);
    }
    assert_eq!(ingest.counters.total(Counter::ClosedConnections), 1);
}

#[tokio::test]
async fn page_is_never_admitted_by_a_report() {
    for role in ["page", "foreignpage"] {
        let world = World::with_program().await;
        let ingest = world.instance();
        ingest.receive_attached(&library_report("ann", "shop", 0), &[("role", role)], NOW_MS).await;
        assert_eq!(world.sent()[0]["payload"]["code"], "unauthorized", "{role}");
        assert_eq!(world.stored().await, 0);
    }
}

#[tokio::test]
async fn batch_and_frame_without_user_admit_no_program() {
    let world = World::with_program().await;
    let ingest = world.instance();
    let batch = json!([{"userId": "ann", "appId": "shop", "metrics": {"a": 1}}]);
    for frame in [metrics(&batch), metrics(&report(0))] {
        ingest.receive(&frame).await;
        assert_eq!(world.sent()[0]["payload"]["code"], "unauthorized", "{frame}");
    }
    assert_eq!(world.stored().await, 0);
}

#[tokio::test]
async fn grant_of_another_credential_is_not_replaced_by_a_report() {
    for kept in [publishing("bank"), Grant { library: true, ..publishing("bank") }] {
        let world = World::start().await;
        world.open(PUBLISHER, Some(&kept)).await;
        world.instance().receive(&library_report("ann", "shop", 0)).await;
        let stored = world.env.sessions().find(&ConnectionId::new(PUBLISHER)).await.unwrap().unwrap().grant;
        assert_eq!((stored, world.stored().await), (Some(kept), 0));
    }
}

#[tokio::test]
async fn full_app_admits_a_program_once_there_is_room() {
    let world = World::with_program().await;
    let mut shop = app("shop", Status::Active);
    shop.limits.connections = Some(1);
    world.replace_shop(&shop).await;
    let other = ConnectionId::new("other=");
    let proof = publishing("shop").stored_proof();
    world.env.publishers().add(&[id("shop")], &other, &proof, now()).await.unwrap();
    let ingest = world.instance();
    tick(&ingest, 0).await;
    assert_eq!((world.sent(), world.stored().await), (vec![notice(Notice::Full)], 0));
    world.env.publishers().delete(&id("shop"), &other).await.unwrap();
    world.env.take_calls();
    for n in 1..12 {
        tick(&ingest, n).await;
    }
    assert_eq!(world.sent(), [success()]);
    assert!(world.stored().await >= 1);
}

#[tokio::test]
async fn library_is_sent_no_error_and_each_frame_with_an_id_an_ack() {
    let world = World::with_program().await;
    let ingest = world.instance();
    tick(&ingest, 0).await;
    world.sent();
    let with = |metrics: &str| {
        format!(
            r#"{{"type":"send_metrics","id":"f1","data":{{"userId":"ann","appId":"shop","metrics":{metrics}}}}}"#
        )
    };
    let long = format!(r#"{{"x":"{}"}}"#, "x".repeat(20_000));
    for (metrics, accepted) in [("7", 0), (r#"{"a":1e999}"#, 0), (long.as_str(), 0), (r#"{"a":1}"#, 1)] {
        ingest.receive(&with(metrics).replace(r#""id":"f1","#, "")).await;
        assert!(world.sent().is_empty(), "{metrics:.20}");
        ingest.receive(&with(metrics)).await;
        let ack = &world.sent()[0];
        assert_eq!((&ack["type"], &ack["payload"]["accepted"]), (&json!("ack"), &json!(accepted)));
    }
    for frame in [r#"{"type":"send_metrics"}"#, "no json", &library_report("ann", "nowhere", 1)] {
        ingest.receive(frame).await;
        assert!(world.sent().is_empty(), "{frame}");
    }
    world.replace_shop(&App { status: Status::Inactive, ..app("shop", Status::Active) }).await;
    for at_ms in [60_001, 60_002] {
        ingest.receive_at(&with(r#"{"a":2}"#), NOW_MS + at_ms).await;
        let ack = world.sent().pop().unwrap();
        let rejected = &ack["payload"]["rejected"][0];
        assert_eq!((&ack["type"], &rejected["code"]), (&json!("ack"), &json!("app_inactive")), "{at_ms}");
    }
}

#[tokio::test]
async fn fault_is_silent_to_a_library() {
    let world = World::with_program().await;
    let ingest = world.instance();
    world.env.dynamodb.go_offline();
    ingest.receive(&library_report("ann", "shop", 0)).await;
    world.env.dynamodb.go_online();
    assert!(world.sent().is_empty());
    ingest.receive(&library_report("ann", "shop", 1)).await;
    assert_eq!((world.sent(), world.stored().await), (vec![success()], 1));
}

#[tokio::test]
async fn numeric_ids_of_a_library_are_those_with_their_digits() {
    let world = World::with_program().await;
    world
        .env
        .register(&App { owner: nsl_domain::ids::UserId::new("7").unwrap(), ..app("42", Status::Active) })
        .await;
    let frame = r#"{"type":"metrics","data":{"userId":7,"appId":42,"metrics":{"a":1}}}"#;
    world.instance().receive(frame).await;
    assert_eq!(world.stored().await, 1);
}
