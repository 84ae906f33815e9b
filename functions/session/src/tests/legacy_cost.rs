//! What each frame of the library and its dashboard costs: every call to AWS in order.

use nsl_domain::conversation::connection_cache::MAX_FRAMES;
use nsl_domain::legacy::session::{ATTEMPT_EVERY_MS, ReplyKind};

use super::legacy::*;
use super::*;

const READ_SESSION: &str = "GetItem ConnectionsTable consistent";
const CLAIM: &str = "UpdateItem ConnectionsTable";
const READ_APP: &str = "GetItem AppsTable consistent";
const READ_COUNT: &str = "GetItem ConnectionsTable consistent";
const ADD: &str = "UpdateItem ConnectionsTable";
const ADD_TO_SESSION: &str = "UpdateItem ConnectionsTable";
const PUT_SUBSCRIPTION: &str = "PutItem ConnectionsTable";
const STORE_GRANT: &str = "UpdateItem ConnectionsTable";
const PUT_PUBLISHER: &str = "PutItem ConnectionsTable";
const COUNT_REJECTION: &str = "UpdateItem ConnectionsTable";
const CLAIM_NOTICE: &str = "UpdateItem ConnectionsTable";
const NOTE_CHECK: &str = "UpdateItem ConnectionsTable";
const READ_RECENT: &str = "Query ReportsTable consistent";
const READ_LAST: &str = "Query RollupsTable consistent";
const READ_COMMANDS: &str = "Query ConnectionsTable consistent";
const PUT_COMMAND: &str = "PutItem ConnectionsTable";
const READ_LOGS: &str = "Query LogsTable consistent";
const PUT_LOGS: &str = "PutItem LogsTable";
const READ_RECEIVERS: &str = "Query ConnectionsTable consistent";
const ANSWER: &str = "POST UIcZQdQsoAMCLTw=";
const CLOSE: &str = "DELETE UIcZQdQsoAMCLTw=";
const NOTHING: [&str; 0] = [];

#[tokio::test]
async fn library_auth_costs_three_reads_and_three_writes_once() {
    let (world, session) = connected(PROGRAM).await;
    send(&session, "auth", &auth_by_user("shop", "ann"), PROGRAM).await;
    assert_eq!(
        world.env.take_lines(),
        [READ_SESSION, READ_APP, READ_COUNT, STORE_GRANT, PUT_PUBLISHER, ADD, ANSWER]
    );
    send(&session, "auth", &auth_by_user("shop", "ann"), PROGRAM).await;
    assert_eq!(world.env.take_lines(), NOTHING);
}

#[tokio::test]
async fn dashboard_auth_also_costs_subscription_and_last_report() {
    let (world, session) = connected(PAGE).await;
    send(&session, "auth", &auth_by_user("shop", "ann"), PAGE).await;
    let first = [READ_SESSION, READ_APP, READ_COUNT, ADD_TO_SESSION, PUT_SUBSCRIPTION, ADD, STORE_GRANT];
    let last = [READ_RECENT, READ_LAST, ANSWER];
    assert_eq!(world.env.take_lines(), [&first[..], &last].concat());
    send(&session, "auth", &auth_by_user("shop", "ann"), PAGE).await;
    assert_eq!(world.env.take_lines(), NOTHING);
}

#[tokio::test]
async fn auth_of_a_page_of_an_inactive_app_costs_the_claim_of_its_status() {
    let world = World::start().await;
    world.change_shop(|shop| shop.status = Status::Inactive).await;
    let session = world.connected(PAGE).await;
    send(&session, "auth", &auth_by_user("shop", "ann"), PAGE).await;
    assert_eq!(world.env.take_lines(), [READ_SESSION, READ_APP, CLAIM, ANSWER]);
    send(&session, "$default", &about_shop("check_status"), PAGE).await;
    assert_eq!(world.env.take_lines(), NOTHING, "it is answered");
}

#[tokio::test]
async fn repeated_auth_costs_a_read_unless_cached() {
    let world = World::start().await;
    send(&world.connected(PAGE).await, "auth", &auth_by_user("shop", "ann"), PAGE).await;
    world.env.take_calls();
    let other = world.instance();
    for (at_ms, calls) in [(0, &[READ_SESSION][..]), (1, &[]), (60_000, &[]), (60_001, &[READ_SESSION])] {
        send_at(&other, "auth", &auth_by_user("shop", "ann"), PAGE, NOW_MS + at_ms).await;
        assert_eq!(world.env.take_lines(), calls, "after {at_ms} ms");
    }
}

#[tokio::test]
async fn wrong_auth_costs_two_reads_and_a_write_in_ten_seconds() {
    for (attached, answers) in [(PROGRAM, &[CLAIM_NOTICE, ANSWER][..]), (PAGE, &[ANSWER])] {
        let (world, session) = connected(attached).await;
        let tried = [READ_SESSION, READ_APP, COUNT_REJECTION];
        send(&session, "auth", &auth_by_user("shop", "bob"), attached).await;
        assert_eq!(world.env.take_lines(), [&tried[..], answers].concat());
        for _ in 0..3 {
            send(&session, "auth", &auth_by_user("shop", "bob"), attached).await;
            assert_eq!(world.env.take_lines(), NOTHING);
        }
        send(&world.instance(), "auth", &auth_by_user("shop", "bob"), attached).await;
        assert_eq!(world.env.take_lines(), [READ_SESSION]);
        let later = NOW_MS + ATTEMPT_EVERY_MS;
        send_at(&session, "auth", &auth_by_user("shop", "bob"), attached, later - 1).await;
        assert_eq!(world.env.take_lines(), NOTHING);
        send_at(&session, "auth", &auth_by_user("shop", "bob"), attached, later).await;
        assert_eq!(world.env.take_lines(), tried, "the credentials may be correct by now");
    }
}

#[tokio::test]
async fn each_reply_costs_a_claim_and_its_reads() {
    let (world, session) = authenticated(PAGE).await;
    for (reply, kind, work) in [
        (ReplyKind::Status, "check_status", &[][..]),
        (ReplyKind::History, "history", &[READ_LOGS]),
        (ReplyKind::LastActions, "get_last_actions", &[READ_COMMANDS]),
        (ReplyKind::Metrics, "request_metrics", &[READ_RECENT, READ_LAST]),
    ] {
        let at_ms = NOW_MS + 100;
        let answers: &[&str] = if reply == ReplyKind::Metrics { &[] } else { &[ANSWER] };
        send_at(&session, "$default", &about_shop(kind), PAGE, at_ms).await;
        assert_eq!(world.env.take_lines(), [&[CLAIM][..], work, answers].concat(), "{kind}");
        send_at(&session, "$default", &about_shop(kind), PAGE, at_ms + reply.every_ms() - 1).await;
        assert_eq!(world.env.take_lines(), NOTHING, "{kind}: cached");
        let other = world.instance();
        for calls in [&[CLAIM][..], &[]] {
            send_at(&other, "$default", &about_shop(kind), PAGE, at_ms + reply.every_ms() - 1).await;
            assert_eq!(world.env.take_lines(), calls, "{kind}: another instance");
        }
        send_at(&session, "$default", &about_shop(kind), PAGE, at_ms + reply.every_ms()).await;
        assert_eq!(world.env.take_lines(), [&[CLAIM][..], work, answers].concat(), "{kind}");
    }
}

#[tokio::test]
async fn cold_instance_also_reads_the_app() {
    let (world, _) = authenticated(PAGE).await;
    send(&world.instance(), "$default", &about_shop("check_status"), PAGE).await;
    assert_eq!(world.env.take_lines(), [CLAIM, READ_APP, ANSWER]);
    send(&world.instance(), "$default", &about_shop("history"), PAGE).await;
    assert_eq!(world.env.take_lines(), [CLAIM, READ_APP, READ_LOGS, ANSWER]);
}

#[tokio::test]
async fn log_entries_cost_a_write_a_query_and_the_posts() {
    let (world, session) = authenticated(PROGRAM).await;
    world.subscribe_to("viewer=").await;
    send(&session, "$default", &logs(1), PROGRAM).await;
    assert_eq!(world.env.take_lines(), [PUT_LOGS, READ_RECEIVERS, "POST viewer="]);
    send(&world.instance(), "$default", &logs(1), PROGRAM).await;
    assert_eq!(world.env.take_lines(), [READ_SESSION, READ_APP, PUT_LOGS, READ_RECEIVERS, "POST viewer="]);
    send(&session, "$default", &logs(60), PROGRAM).await;
    assert_eq!(world.env.take_lines()[..2], [PUT_LOGS, READ_RECEIVERS], "49 of them");
    send(&session, "$default", &logs(60), PROGRAM).await;
    assert_eq!(world.env.take_lines(), NOTHING, "the rate of this second is used up");
}

#[tokio::test]
async fn log_entries_that_admit_a_library_cost_its_auth_once() {
    let (world, session) = connected(PROGRAM).await;
    let admission = [READ_SESSION, READ_APP, READ_COUNT, STORE_GRANT, PUT_PUBLISHER, ADD];
    send(&session, "$default", &logs(1), PROGRAM).await;
    let stored = [PUT_LOGS, READ_RECEIVERS];
    assert_eq!(world.env.take_lines(), [&admission[..], &stored, &[ANSWER]].concat());
    send(&session, "$default", &logs(1), PROGRAM).await;
    assert_eq!(world.env.take_lines(), stored);
    send(&session, "auth", &auth_by_user("shop", "ann"), PROGRAM).await;
    assert_eq!(world.env.take_lines(), NOTHING, "it is answered");
}

#[tokio::test]
async fn refused_log_entries_cost_a_read_a_second_and_a_check_in_ten() {
    let (world, session) = connected(PROGRAM).await;
    let wrong = logs(1).replace("ann", "bob");
    let check = [READ_SESSION, READ_APP, NOTE_CHECK];
    for (at_ms, calls) in [
        (0, &check[..]),
        (999, &[]),
        (1_000, &[READ_SESSION]),
        (1_500, &[]),
        (10_000, &[READ_SESSION, READ_APP, NOTE_CHECK, CLAIM_NOTICE, ANSWER]),
        (20_000, &check),
    ] {
        send_at(&session, "$default", &wrong, PROGRAM, NOW_MS + at_ms).await;
        assert_eq!(world.env.take_lines(), calls, "after {at_ms} ms");
    }
}

#[tokio::test]
async fn log_entries_of_an_inactive_app_cost_three_reads_in_ten_seconds() {
    let (world, session) = authenticated(PROGRAM).await;
    world.change_shop(|shop| shop.status = Status::Inactive).await;
    // By the cached app they are stored for a minute.
    let other = world.instance();
    let checked = [READ_SESSION, READ_APP];
    for (at_ms, calls) in [
        (0, &[&checked[..], &[CLAIM_NOTICE, ANSWER]].concat()[..]),
        (9_999, &[]),
        (10_000, &[READ_APP, READ_SESSION, READ_APP]),
        (19_999, &[]),
    ] {
        send_at(&other, "$default", &logs(1), PROGRAM, NOW_MS + at_ms).await;
        assert_eq!(world.env.take_lines(), calls, "after {at_ms} ms");
    }
    drop(session);
}

#[tokio::test]
async fn command_costs_two_writes_a_query_and_the_posts() {
    let (world, session) = authenticated(PAGE).await;
    world.publish("publisher=").await;
    send(&session, "$default", &command(true), PAGE).await;
    assert_eq!(world.env.take_lines(), [CLAIM, PUT_COMMAND, READ_RECEIVERS, "POST publisher=", ANSWER]);
    send(&session, "$default", &command(false), PAGE).await;
    assert_eq!(world.env.take_lines(), NOTHING);
}

#[tokio::test]
async fn filter_and_clear_cost_nothing() {
    let world = World::start().await;
    for kind in ["filter", "clear"] {
        send(&world.instance(), "$default", &about_shop(kind), PAGE).await;
        assert_eq!(world.env.take_lines(), NOTHING, "{kind}");
    }
}

#[tokio::test]
async fn flood_closes_a_page_and_silences_a_program() {
    for (attached, end) in [(PAGE, &[CLOSE][..]), (PROGRAM, &[])] {
        let (world, session) = connected(attached).await;
        for _ in 0..MAX_FRAMES {
            send(&session, "$default", &about_shop("clear"), attached).await;
        }
        assert_eq!(world.env.take_lines(), NOTHING);
        send(&session, "$default", &about_shop("check_status"), attached).await;
        assert_eq!(world.env.take_lines(), end);
    }
}
