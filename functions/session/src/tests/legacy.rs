//! The library and its dashboard: what they are sent, what is relayed, and when nothing is.

use nsl_aws::apps::Saved;
use nsl_aws::counters::Counter;
use nsl_aws::subscriptions::Subscriber;
use nsl_domain::conversation::connection_cache::MAX_FRAMES;
use nsl_domain::dialect::Dialect;
use nsl_domain::grant::Proof;
use nsl_domain::ids::{ConnectionId, UserId};
use nsl_domain::legacy::session::{ReplyKind, WRONG_FOR_MS};
use nsl_test_support::Failure;

use super::*;

impl World {
    /// Subscribes `connection` to `shop`.
    pub(super) async fn subscribe_to(&self, connection: &str) {
        let subscriber = Subscriber {
            connection: ConnectionId::new(connection),
            min_interval_ms: 0,
            dialect: Dialect::Modern,
            proof: grant("shop", Scope::VIEW).stored_proof(),
        };
        let now = TimestampMs::clamped(NOW_MS);
        self.env
            .sessions()
            .open(&subscriber.connection, nsl_domain::grant::Role::Page, &[], now)
            .await
            .unwrap();
        self.env.subscriptions().add(&id("shop"), &subscriber, now).await.unwrap();
        self.env.take_calls();
    }

    /// Makes `connection` a publisher of `shop`.
    pub(super) async fn publish(&self, connection: &str) {
        self.publish_by(connection, &grant("shop", Scope::BOTH)).await;
    }

    /// Makes `connection` a publisher of `shop` by `grant`.
    async fn publish_by(&self, connection: &str, grant: &Grant) {
        let (connection, now) = (ConnectionId::new(connection), TimestampMs::clamped(NOW_MS));
        let publishers = self.env.publishers();
        publishers.add(&[id("shop")], &connection, &grant.stored_proof(), now).await.unwrap();
        self.env.take_calls();
    }

    /// Changes the stored app `shop`.
    pub(super) async fn change_shop(&self, change: impl FnOnce(&mut App)) {
        let stored = self.env.apps().find(&id("shop")).await.unwrap().unwrap();
        let mut changed = stored.clone();
        change(&mut changed);
        assert_eq!(self.env.apps().save(&stored, &changed).await.unwrap(), Saved::Done);
        self.env.take_calls();
    }

    /// The frames sent to [`CONNECTION`] since the last look.
    pub(super) fn sent(&self) -> Vec<Value> {
        let frames = self.env.frames(CONNECTION);
        self.env.take_calls();
        frames
    }
}

/// A service, and an instance on which a page or the library has authenticated.
pub(super) async fn authenticated(attached: events::Attached<'_>) -> (World, Session) {
    let (world, session) = connected(attached).await;
    send(&session, "auth", &auth_by_user("shop", "ann"), attached).await;
    assert_eq!(world.sent()[0]["type"], "auth_success");
    (world, session)
}

pub(super) fn about_shop(kind: &str) -> String {
    json!({"type": kind, "data": {"userId": "ann", "appId": "shop"}}).to_string()
}

pub(super) fn logs(count: usize) -> String {
    let entries: Vec<Value> = (0..count).map(|n| json!({"level": "info", "n": n})).collect();
    json!({"type": "logs", "data": {"userId": "ann", "appId": "shop", "logs": entries}}).to_string()
}

pub(super) fn command(enabled: bool) -> String {
    json!({"type": "command", "data": {"userId": "ann", "appId": "shop", "type": "console_toggle",
        "data": {"enabled": enabled, "key": "hush"}}})
    .to_string()
}

#[tokio::test]
async fn page_gets_the_last_known_report_at_once() {
    for age_ms in [10_000, 3_600_000] {
        let world = World::start().await;
        world.store(-age_ms, r#"{"cpu":{"usage":61.4}}"#).await;
        let session = world.connected(PAGE).await;
        send(&session, "auth", &auth_by_user("shop", "ann"), PAGE).await;
        let sent = world.sent();
        assert_eq!(
            (sent.len(), &sent[0]["type"], &sent[1]["type"]),
            (2, &json!("auth_success"), &json!("metrics"))
        );
        assert_eq!(sent[1]["payload"]["cpu"]["usage"], 61.4, "read flat");
        assert_eq!(sent[1]["payload"]["metrics"]["cpu"]["usage"], 61.4);
    }
}

#[tokio::test]
async fn one_of_many_auths_at_once_is_answered() {
    for attached in [PAGE, PROGRAM] {
        let world = World::start().await;
        world.connected(attached).await;
        let instances: Vec<Session> = (0..8).map(|_| world.instance()).collect();
        let frame = auth_by_user("shop", "ann");
        let replies = instances.iter().map(|instance| send(instance, "auth", &frame, attached));
        futures_util::future::join_all(replies).await;
        assert_eq!(world.sent().iter().filter(|frame| frame["type"] == "auth_success").count(), 1);
    }
}

#[tokio::test]
async fn one_of_many_requests_at_once_is_answered() {
    for kind in ["check_status", "history", "get_last_actions"] {
        let (world, _) = authenticated(PAGE).await;
        let instances: Vec<Session> = (0..8).map(|_| world.instance()).collect();
        let frame = about_shop(kind);
        let replies = instances.iter().map(|instance| send(instance, "$default", &frame, PAGE));
        futures_util::future::join_all(replies).await;
        assert_eq!(world.sent().len(), 1, "{kind}");
        let ignored: u64 = instances.iter().map(|one| one.counters.total(Counter::AbsorbedFrames)).sum();
        assert_eq!(ignored, 7, "{kind}");
    }
}

#[tokio::test]
async fn rejected_library_gets_one_notice_and_is_closed_after_ten_minutes() {
    let (world, session) = connected(PROGRAM).await;
    for (minute, notices, closed) in [(0, 1, false), (5, 0, false), (10, 0, true)] {
        let at_ms = NOW_MS + minute * 60_000;
        send_at(&session, "auth", &auth_by_user("shop", "bob"), PROGRAM, at_ms).await;
        assert_eq!(world.env.frames(CONNECTION), vec![notice(Notice::Unproved); notices]);
        let calls = world.env.take_calls();
        assert_eq!(calls.iter().any(|call| call.operation == "DELETE"), closed, "minute {minute}");
    }
    assert_eq!(WRONG_FOR_MS, 600_000);
    assert_eq!(session.counters.total(Counter::SilencedPublishers), 2);
    assert_eq!(session.counters.total(Counter::ClosedConnections), 1);
}

#[tokio::test]
async fn library_is_accepted_after_correct_credentials() {
    let (world, session) = connected(PROGRAM).await;
    world.env.register(&app("bank")).await;
    send(&session, "auth", &auth_by_user("bank", "ann"), PROGRAM).await;
    assert_eq!(world.sent(), [notice(Notice::Unproved)]);
    let keys = vec![KeyRecord::of("another", Scope::BOTH)];
    world.replace(&App { legacy: true, keys, ..app("bank") }).await;
    send_at(&session, "auth", &auth_by_user("bank", "ann"), PROGRAM, NOW_MS + 10_000).await;
    assert_eq!(world.sent()[0]["type"], "auth_success");
}

#[tokio::test]
async fn page_is_subscribed_only_to_its_last_app() {
    let (world, session) = authenticated(PAGE).await;
    world.env.register(&App { legacy: true, ..app("bank") }).await;
    world.count("bank").await;
    send_at(&session, "auth", &auth_by_user("bank", "ann"), PAGE, NOW_MS + 9_999).await;
    assert!(world.sent().is_empty(), "so soon after the first it is ignored");
    send_at(&session, "auth", &auth_by_user("bank", "ann"), PAGE, NOW_MS + 10_000).await;
    assert_eq!(world.env.frames(CONNECTION)[0]["payload"]["appId"], "bank");
    // The count, the row of the first app and its count, the session row twice, the new row and its count.
    let calls = ["GetItem", "DeleteItem", "UpdateItem", "UpdateItem", "UpdateItem", "PutItem", "UpdateItem"];
    let counted_left_added = calls.map(|call| format!("{call} ConnectionsTable"));
    let lines = world.env.take_lines().join("\n").replace(" consistent", "");
    assert!(lines.contains(&counted_left_added.join("\n")), "{lines}");
    assert_eq!(world.subscriptions().await, [("app#bank".to_owned(), "legacy".to_owned())]);
}

#[tokio::test]
async fn log_entries_are_posted_and_appear_in_history() {
    let (world, session) = authenticated(PROGRAM).await;
    world.subscribe_to("viewer=").await;
    let entries = json!([{"level": "info", "n": 0}, {"level": "info", "n": 1}]);
    assert_eq!(send(&session, "$default", &logs(2), PROGRAM).await, None);
    assert_eq!(world.env.frames("viewer="), [json!({"type": "logs", "payload": entries})]);
    assert!(world.sent().is_empty(), "the library gets no reply to its logs");
    let library_asks = json!({"type": "history", "ws_sent_config": {"response_type": "request_history"},
        "data": {"userId": "ann", "appId": "shop"}});
    let object = json!({"logs": entries});
    let grant = granted("shop", Scope::VIEW);
    let viewer: events::Attached<'_> = &[("role", "page"), ("grant", &grant)];
    let requests = [
        (library_asks.to_string(), PROGRAM, "request_history", &object),
        (about_shop("history"), PROGRAM, "request_history", &object),
        (about_shop("history"), viewer, "history", &entries),
        (about_shop("request_history"), viewer, "request_history", &object),
    ];
    for (at_ms, (frame, attached, kind, payload)) in (NOW_MS..).step_by(4_000).zip(requests) {
        send_at(&session, "$default", &frame, attached, at_ms).await;
        assert_eq!(world.sent(), [json!({"type": kind, "payload": payload})], "{frame}");
    }
}

#[tokio::test]
async fn history_is_the_newest_thousand_entries_in_small_frames() {
    let (world, session) = authenticated(PAGE).await;
    let table = world.env.log_entries();
    for frame in 0..30 {
        let entries: Vec<String> =
            (0..40).map(|n| json!({"n": frame * 40 + n, "text": "x".repeat(100)}).to_string()).collect();
        let at = TimestampMs::clamped(NOW_MS - 60_000 + frame);
        table.put(&id("shop"), &ConnectionId::new("l="), &entries, at).await.unwrap();
    }
    send(&session, "$default", &about_shop("history"), PAGE).await;
    let sent = world.sent();
    assert!(sent.len() > 3 && sent.iter().all(|frame| frame.to_string().len() <= 30 * 1024));
    let numbers: Vec<i64> = sent
        .iter()
        .flat_map(|frame| frame["payload"].as_array().unwrap().clone())
        .map(|entry| entry["n"].as_i64().unwrap())
        .collect();
    assert_eq!(numbers, (200..1_200).collect::<Vec<_>>());
}

#[tokio::test]
async fn log_entries_over_the_rate_are_dropped_and_counted() {
    let (world, session) = authenticated(PROGRAM).await;
    send(&session, "$default", &logs(80), PROGRAM).await;
    assert_eq!(session.counters.total(Counter::DroppedLogs), 30);
    world.sent();
    world.env.dynamodb.fail("PutItem", Failure::InternalError, 3);
    send_at(&session, "$default", &logs(3), PROGRAM, NOW_MS + 1_000).await;
    assert_eq!(session.counters.total(Counter::DroppedLogs), 33, "what cannot be kept is dropped too");
    assert!(world.sent().is_empty());
}

#[tokio::test]
async fn command_reaches_every_publisher_and_is_stored() {
    let (world, session) = authenticated(PAGE).await;
    world.publish("one=").await;
    world.publish("two=").await;
    send(&session, "$default", &command(false), PAGE).await;
    let said = json!({"type": "console_toggle", "data": {"enabled": false}});
    for publisher in ["one=", "two="] {
        assert_eq!(world.env.frames(publisher), [json!({"type": "command", "data": said})]);
    }
    let response = world.sent().remove(0);
    assert_eq!((&response["type"], &response["payload"]["data"]), (&json!("command_response"), &said));
    send(&session, "$default", r#"{"type":"get_last_actions"}"#, PAGE).await;
    let actions = world.sent().remove(0);
    let action = &actions["payload"][0];
    assert_eq!((&action["type"], &action["data"]["data"]), (&json!("console_toggle"), &said["data"]));
}

#[tokio::test]
async fn publisher_by_a_revoked_credential_gets_no_command() {
    let world = World::start().await;
    world.change_shop(|shop| shop.add_key(KeyRecord::of("older", Scope::PUBLISH)).unwrap()).await;
    let right = grant("shop", Scope::BOTH);
    let by = |proof| Grant { proof, ..right.clone() };
    let token = by(Proof::Token { issued: fixtures::now() });
    let ends = Some(TimestampMs::clamped(NOW_MS + 60_001));
    world.publish_by("right=", &right).await;
    world.publish_by("dropped=", &by(Proof::Key(KeyRecord::of("older", Scope::PUBLISH).id))).await;
    world.publish_by("token=", &token).await;
    world.publish_by("ended=", &Grant { until: ends, ..token.clone() }).await;
    world.publish_by("library=", &by(Proof::Legacy)).await;
    let old = json!({"pk": {"S": "app#shop"}, "sk": {"S": "p#old="}, "expiresAt": {"N": "9999999999"}});
    world.env.put("ConnectionsTable", old).await;
    let text = right.to_text();
    let attached: events::Attached<'_> = &[("role", "program"), ("grant", &text)];
    let session = world.connected(attached).await;

    send(&session, "$default", &command(true), attached).await;
    let commanded = |name: &&str| !world.env.frames(name).is_empty();
    let all = ["right=", "dropped=", "token=", "ended=", "library=", "old="];
    assert_eq!(
        all.into_iter().filter(commanded).collect::<Vec<_>>(),
        all[..5],
        "a row without proof gets none"
    );
    world
        .change_shop(|shop| {
            shop.keys.retain(|key| key.id != KeyRecord::of("older", Scope::PUBLISH).id);
            (shop.legacy, shop.tokens_not_before) = (false, Some(fixtures::now().plus_ms(1)));
        })
        .await;
    send_at(&session, "$default", &command(false), attached, NOW_MS + 60_001).await;
    assert_eq!(all.into_iter().filter(commanded).collect::<Vec<_>>(), ["right="]);
    assert_eq!(
        world.env.publishers().connected(&id("shop"), fixtures::now()).await.unwrap().len(),
        7,
        "rows stay"
    );
}

#[tokio::test]
async fn publisher_of_an_earlier_app_gets_no_command() {
    let world = World::start().await;
    let old = grant("shop", Scope::BOTH);
    let issued = fixtures::now();
    world.publish_by("token=", &Grant { proof: Proof::Token { issued }, ..old.clone() }).await;
    world.publish_by("library=", &Grant { proof: Proof::Legacy, ..old.clone() }).await;
    world.publish_by("key=", &old).await;
    let stored = world.env.apps().find(&id("shop")).await.unwrap().unwrap();
    let id_free_since = fixtures::now().plus_ms(1);
    assert_eq!(world.env.apps().delete(&stored, id_free_since).await.unwrap(), Saved::Done);
    let owner = UserId::new("bob").unwrap();
    let keys = vec![KeyRecord::of("new", Scope::BOTH)];
    let reborn =
        App { owner, keys, created_at: Some(id_free_since), id_free_since: Some(id_free_since), ..stored };
    world.env.register(&reborn).await;
    let new = Proof::Key(KeyRecord::of("new", Scope::BOTH).id);
    let text = Grant { proof: new, ..old }.to_text();
    let attached: events::Attached<'_> = &[("role", "program"), ("grant", &text)];
    let session = world.connected(attached).await;
    send(&session, "$default", &command(true), attached).await;
    for publisher in ["token=", "library=", "key="] {
        assert!(world.env.frames(publisher).is_empty(), "{publisher}");
    }
    assert_eq!(world.env.frames(CONNECTION).len(), 2, "the new app's publisher and its reply");
}

#[tokio::test]
async fn unauthorised_frames_are_not_relayed() {
    let world = World::start().await;
    world.env.register(&app("bank")).await;
    world.subscribe_to("viewer=").await;
    world.publish("publisher=").await;
    let about_bank = about_shop("history").replace("shop", "bank");
    let about_no_app = json!({"type": "get_last_actions", "data": {"appId": {"a": 1}}}).to_string();
    let kinds =
        ["history", "request_history", "get_last_actions", "request_metrics", "command", "filter", "clear"];
    let foreign_logs = logs(1).replace("ann", "bob");
    let unauthenticated: Vec<_> = kinds.iter().map(|kind| about_shop(kind)).chain([foreign_logs]).collect();
    for (attached, authenticated, frames) in [
        (PROGRAM, false, unauthenticated.clone()),
        (PAGE, false, unauthenticated),
        (PROGRAM, true, vec![command(true), about_bank.clone(), logs(1).replace("shop", "bank")]),
        (PAGE, true, vec![logs(1), about_bank, about_no_app, command(true).replace("shop", "bank")]),
    ] {
        let session = world.connected(attached).await;
        if authenticated {
            send(&session, "auth", &auth_by_user("shop", "ann"), attached).await;
            world.sent();
        }
        for (at_ms, frame) in (NOW_MS..).step_by(4_000).zip(frames) {
            send_at(&session, "$default", &frame, attached, at_ms).await;
            let calls = world.env.take_calls();
            assert!(calls.iter().all(|call| call.target != "viewer=" && call.target != "publisher="));
            let sent: Vec<_> = calls.iter().filter(|call| call.operation == "POST").collect();
            assert!(sent.iter().all(|call| call.body["payload"]["success"] == false), "{frame}");
            let is_answered = authenticated && frame.contains(r#""command""#);
            assert_eq!(sent.len(), usize::from(is_answered), "{frame}");
        }
        assert_eq!(session.counters.total(Counter::DroppedLogs), 1, "{attached:?}");
    }
    assert!(world.env.rows("LogsTable").await.is_empty());
}

#[tokio::test]
async fn legacy_connection_gets_a_bounded_number_of_errors() {
    let (world, session) = authenticated(PAGE).await;
    for _ in 0..100 {
        send(&session, "$default", "no json", PAGE).await;
    }
    let calls = world.env.take_calls();
    let posts = calls.iter().filter(|call| call.operation == "POST").count();
    assert!(posts <= MAX_FRAMES, "{posts}");
    assert!(calls.iter().any(|call| call.operation == "DELETE"));
}

#[tokio::test]
async fn fault_is_silent_and_the_next_frame_is_answered() {
    let world = World::start().await;
    for attached in [PAGE, PROGRAM] {
        let session = world.connected(attached).await;
        world.env.dynamodb.go_offline();
        for kind in ["auth", "check_status", "history", "get_last_actions", "command", "logs"] {
            let route = if kind == "auth" { "auth" } else { "$default" };
            let body = send(&session, route, &about_shop(kind), attached).await;
            assert_eq!((body, world.sent()), (None, vec![]), "{kind}");
        }
        world.env.dynamodb.go_online();
        send(&session, "auth", &auth_by_user("shop", "ann"), attached).await;
        assert_eq!(world.sent()[0]["type"], "auth_success");
    }
}

#[tokio::test]
async fn library_is_accepted_without_its_publisher_row() {
    let (world, session) = connected(PROGRAM).await;
    world.env.dynamodb.fail("PutItem", Failure::InternalError, 3);
    send(&session, "auth", &auth_by_user("shop", "ann"), PROGRAM).await;
    assert_eq!(world.sent()[0]["type"], "auth_success");
}

#[tokio::test]
async fn page_sees_at_once_that_its_app_is_active_again() {
    let world = World::start().await;
    let awake = App { legacy: true, ..app("old") };
    let asleep = App { status: Status::Inactive, ..awake.clone() };
    world.env.register(&asleep).await;
    let session = world.connected(PAGE).await;
    let ask = json!({"type": "check_status", "data": {"userId": "ann", "appId": "old"}}).to_string();
    send(&session, "$default", &ask, PAGE).await;
    assert_eq!(world.sent().last().unwrap()["payload"]["status"]["appIsActive"], false);
    let saved = world.env.apps().save(&asleep, &awake).await;
    assert_eq!(saved.unwrap(), nsl_aws::apps::Saved::Done);
    world.env.take_calls();
    send_at(&session, "$default", &ask, PAGE, NOW_MS + ReplyKind::Status.every_ms()).await;
    let sent = world.sent();
    assert_eq!(sent.last().unwrap()["payload"]["status"]["appIsActive"], true, "{sent:?}");
}
