//! Programs that are admitted by their log entries: what each is sent, and from when on its entries are stored.

use nsl_aws::counters::Counter;
use nsl_domain::ids::UserId;
use nsl_domain::legacy::session::ATTEMPT_EVERY_MS;

use super::legacy::*;
use super::*;

impl World {
    /// How many frames of log entries are stored.
    async fn stored_logs(&self) -> usize {
        self.env.rows("LogsTable").await.len()
    }
}

fn success() -> Value {
    json!({"type": "auth_success", "payload": {"appId": "shop", "userId": "ann"}})
}

#[tokio::test]
async fn log_entries_before_auth_admit_their_program_with_one_answer() {
    let (world, session) = connected(PROGRAM).await;
    for frame in [logs(1), auth_by_user("shop", "ann"), logs(2)] {
        let route = if frame.contains(r#""auth""#) { "auth" } else { "$default" };
        send(&session, route, &frame, PROGRAM).await;
    }
    assert_eq!(world.sent(), [success()]);
    assert_eq!((world.stored_logs().await, session.counters.total(Counter::DroppedLogs)), (2, 0));
    let publishers = world.env.publishers().of_app(&id("shop"), fixtures::now()).await.unwrap();
    assert_eq!(publishers.len(), 1, "it gets commands");
}

#[tokio::test]
async fn one_of_many_log_frames_and_auths_at_once_is_answered() {
    let world = World::start().await;
    world.connected(PROGRAM).await;
    let instances: Vec<Session> = (0..8).map(|_| world.instance()).collect();
    let (auth, logs) = (auth_by_user("shop", "ann"), logs(1));
    let replies = instances.iter().enumerate().map(|(n, instance)| match n % 2 {
        0 => send(instance, "auth", &auth, PROGRAM),
        _ => send(instance, "$default", &logs, PROGRAM),
    });
    futures_util::future::join_all(replies).await;
    assert_eq!(world.sent(), [success()]);
}

#[tokio::test]
async fn page_is_not_admitted_by_log_entries() {
    for page in [PAGE, FOREIGN_PAGE] {
        let (world, session) = connected(page).await;
        send(&session, "$default", &logs(1), page).await;
        assert!(world.sent().is_empty() && world.stored_logs().await == 0);
    }
}

#[tokio::test]
async fn library_resumes_within_ten_seconds_of_every_change_of_its_app() {
    let with_key = |key: &str| App { keys: vec![KeyRecord::of(key, Scope::BOTH)], ..app("shop") };
    let of_bob = App { owner: UserId::new("bob").unwrap(), ..with_key("x") };
    for (changed, expected) in [
        (App { status: Status::Inactive, ..with_key("x") }, Notice::SwitchedOff),
        (App { legacy: false, ..with_key("x") }, Notice::Unproved),
        (of_bob, Notice::Unproved),
    ] {
        let (world, _) = authenticated(PROGRAM).await;
        world.replace(&changed).await;
        world.env.take_calls();
        let session = world.instance();
        for at_ms in (0..3 * ATTEMPT_EVERY_MS).step_by(500) {
            send_at(&session, "$default", &logs(1), PROGRAM, NOW_MS + at_ms).await;
        }
        assert_eq!((world.sent(), world.stored_logs().await), (vec![notice(expected)], 0), "{expected:?}");
        world.replace(&with_key("y")).await;
        world.env.take_calls();
        let resumed = NOW_MS + 4 * ATTEMPT_EVERY_MS;
        send_at(&session, "$default", &logs(1), PROGRAM, resumed).await;
        assert_eq!((world.sent(), world.stored_logs().await), (vec![], 1), "{expected:?}");
    }
}

/// A process that starts while its app is off would otherwise send nothing for ever.
#[tokio::test]
async fn library_that_starts_while_its_app_is_off_is_welcomed_once() {
    let world = World::start().await;
    world.change_shop(|shop| shop.status = Status::Inactive).await;
    let session = world.connected(PROGRAM).await;
    for _ in 0..3 {
        send(&session, "auth", &auth_by_user("shop", "ann"), PROGRAM).await;
    }
    assert_eq!(world.sent(), [success(), notice(Notice::SwitchedOff)]);
    send_at(&session, "$default", &logs(1), PROGRAM, NOW_MS + 500).await;
    world.change_shop(|shop| shop.status = Status::Active).await;
    send_at(&session, "$default", &logs(1), PROGRAM, NOW_MS + 500 + ATTEMPT_EVERY_MS).await;
    assert_eq!((world.sent(), world.stored_logs().await), (vec![], 1));
}

#[tokio::test]
async fn unproved_ids_get_one_notice_whatever_is_wrong() {
    let world = World::start().await;
    world.env.register(&app("bank")).await;
    let mut texts = Vec::new();
    for (app, user) in [("nowhere", "ann"), ("shop", "bob"), ("bank", "ann"), ("a b", "ann"), ("shop", "")] {
        world.connected(PROGRAM).await;
        let instances: Vec<Session> = (0..4).map(|_| world.instance()).collect();
        let frame = auth_by_user(app, user);
        let replies = instances.iter().map(|instance| send(instance, "auth", &frame, PROGRAM));
        futures_util::future::join_all(replies).await;
        let later = NOW_MS + ATTEMPT_EVERY_MS;
        send_at(&instances[0], "auth", &frame, PROGRAM, later).await;
        texts.push(world.sent());
        let key = json!({"pk": {"S": format!("conn#{CONNECTION}")}, "sk": {"S": "session"}});
        world.env.dynamodb.direct("DeleteItem", "ConnectionsTable", json!({ "Key": key })).await;
    }
    assert_eq!(texts, vec![vec![notice(Notice::Unproved)]; 5]);
}

#[tokio::test]
async fn first_refused_entries_do_not_cost_a_library_its_auth() {
    let world = World::start().await;
    world.env.register(&app("bank")).await;
    let session = world.connected(PROGRAM).await;
    send(&session, "$default", &logs(1).replace("shop", "bank"), PROGRAM).await;
    assert!(world.sent().is_empty(), "its auth may be under way");
    let with_key =
        json!({"type": "auth", "data": {"appId": "bank", "userId": "ann", "apiKey": secret("bank")}});
    send_at(&session, "auth", &with_key.to_string(), PROGRAM, NOW_MS + 100).await;
    assert_eq!(world.sent()[0]["type"], "auth_success");
    send_at(&session, "$default", &logs(1).replace("shop", "bank"), PROGRAM, NOW_MS + 1_100).await;
    assert_eq!((world.sent(), world.stored_logs().await), (vec![], 1));
}

#[tokio::test]
async fn key_of_a_library_replaces_what_its_entries_proved() {
    let (world, session) = connected(PROGRAM).await;
    send(&session, "$default", &logs(1), PROGRAM).await;
    let with_key =
        json!({"type": "auth", "data": {"appId": "shop", "userId": "ann", "apiKey": secret("shop")}});
    send_at(&session, "auth", &with_key.to_string(), PROGRAM, NOW_MS + 100).await;
    assert_eq!(world.sent().len(), 2, "one answer for each credential");
    world.change_shop(|shop| shop.legacy = false).await;
    send_at(&world.instance(), "$default", &logs(1), PROGRAM, NOW_MS + 200).await;
    assert_eq!(world.stored_logs().await, 2, "the key needs no flag");
}
