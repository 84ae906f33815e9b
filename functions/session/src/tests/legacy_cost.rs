//! What each frame of the library and its dashboard costs: every call to AWS in order.

use nsl_domain::conversation::connection_cache::MAX_FRAMES;
use nsl_domain::legacy::session::{ATTEMPT_EVERY_MS, ReplyKind};

use super::legacy::*;
use super::*;

const RECALL: &str = "GetItem ConnectionsTable consistent";
const CLAIM: &str = "UpdateItem ConnectionsTable";
const READ_APP: &str = "GetItem AppsTable consistent";
const COUNT: &str = "Query ConnectionsTable consistent";
const NOTE_SUBSCRIPTION: &str = "UpdateItem ConnectionsTable";
const PUT_SUBSCRIPTION: &str = "PutItem ConnectionsTable";
const WELCOME: &str = "UpdateItem ConnectionsTable";
const PUT_PUBLISHER: &str = "PutItem ConnectionsTable";
const COUNT_REFUSAL: &str = "UpdateItem ConnectionsTable";
const READ_RECENT: &str = "Query ReportsTable consistent";
const READ_LAST: &str = "Query RollupsTable consistent";
const READ_COMMANDS: &str = "Query ConnectionsTable consistent";
const KEEP_COMMAND: &str = "PutItem ConnectionsTable";
const READ_LOGS: &str = "Query LogsTable consistent";
const KEEP_LOGS: &str = "PutItem LogsTable";
const READ_OTHERS: &str = "Query ConnectionsTable consistent";
const ANSWER: &str = "POST UIcZQdQsoAMCLTw=";
const CLOSE: &str = "DELETE UIcZQdQsoAMCLTw=";
const NOTHING: [&str; 0] = [];

#[tokio::test]
async fn the_librarys_auth_costs_three_reads_two_writes_and_the_answer_and_its_repeats_nothing() {
    let world = World::start().await;
    let session = world.connected(PROGRAM).await;
    hear(&session, "auth", &auth_by_user("shop", "ann"), PROGRAM).await;
    assert_eq!(world.env.take_lines(), [RECALL, READ_APP, COUNT, WELCOME, PUT_PUBLISHER, ANSWER]);
    hear(&session, "auth", &auth_by_user("shop", "ann"), PROGRAM).await;
    assert_eq!(world.env.take_lines(), NOTHING);
}

#[tokio::test]
async fn the_dashboards_auth_costs_the_subscription_and_the_last_report_besides() {
    let world = World::start().await;
    let session = world.connected(PAGE).await;
    hear(&session, "auth", &auth_by_user("shop", "ann"), PAGE).await;
    let first = [RECALL, READ_APP, COUNT, NOTE_SUBSCRIPTION, PUT_SUBSCRIPTION, WELCOME];
    let last = [READ_RECENT, READ_LAST, ANSWER];
    assert_eq!(world.env.take_lines(), [&first[..], &last].concat());
    hear(&session, "auth", &auth_by_user("shop", "ann"), PAGE).await;
    assert_eq!(world.env.take_lines(), NOTHING);
}

#[tokio::test]
async fn a_repeated_auth_costs_a_read_where_an_instance_does_not_know_and_nothing_where_it_does() {
    let world = World::start().await;
    hear(&world.connected(PAGE).await, "auth", &auth_by_user("shop", "ann"), PAGE).await;
    world.env.take_calls();
    let other = world.instance();
    for (at_ms, calls) in [(0, &[RECALL][..]), (1, &[]), (60_000, &[]), (60_001, &[RECALL])] {
        hear_at(&other, "auth", &auth_by_user("shop", "ann"), PAGE, NOW_MS + at_ms).await;
        assert_eq!(world.env.take_lines(), calls, "after {at_ms} ms");
    }
}

#[tokio::test]
async fn a_wrong_auth_costs_two_reads_and_a_write_once_in_ten_seconds() {
    for (attached, answers) in [(PROGRAM, &[][..]), (PAGE, &[ANSWER])] {
        let world = World::start().await;
        let session = world.connected(attached).await;
        let tried = [RECALL, READ_APP, COUNT_REFUSAL];
        hear(&session, "auth", &auth_by_user("shop", "bob"), attached).await;
        assert_eq!(world.env.take_lines(), [&tried[..], answers].concat());
        for _ in 0..3 {
            hear(&session, "auth", &auth_by_user("shop", "bob"), attached).await;
            assert_eq!(world.env.take_lines(), NOTHING);
        }
        hear(&world.instance(), "auth", &auth_by_user("shop", "bob"), attached).await;
        assert_eq!(world.env.take_lines(), [RECALL]);
        let later = NOW_MS + ATTEMPT_EVERY_MS;
        hear_at(&session, "auth", &auth_by_user("shop", "bob"), attached, later).await;
        assert_eq!(world.env.take_lines(), tried, "it may have become right");
    }
}

#[tokio::test]
async fn each_answer_costs_a_write_and_what_it_asks_for_and_its_repeats_a_write_or_nothing() {
    let world = World::start().await;
    let session = page(&world).await;
    for (reply, kind, work) in [
        (ReplyKind::Status, "check_status", &[][..]),
        (ReplyKind::History, "history", &[READ_LOGS]),
        (ReplyKind::LastActions, "get_last_actions", &[READ_COMMANDS]),
        (ReplyKind::Metrics, "request_metrics", &[READ_RECENT, READ_LAST]),
    ] {
        let at_ms = NOW_MS + 100;
        let answers: &[&str] = if reply == ReplyKind::Metrics { &[] } else { &[ANSWER] };
        hear_at(&session, "$default", &about_shop(kind), PAGE, at_ms).await;
        assert_eq!(world.env.take_lines(), [&[CLAIM][..], work, answers].concat(), "{kind}");
        hear_at(&session, "$default", &about_shop(kind), PAGE, at_ms + reply.every_ms() - 1).await;
        assert_eq!(world.env.take_lines(), NOTHING, "{kind}: the instance knows");
        let other = world.instance();
        for calls in [&[CLAIM][..], &[]] {
            hear_at(&other, "$default", &about_shop(kind), PAGE, at_ms + reply.every_ms() - 1).await;
            assert_eq!(world.env.take_lines(), calls, "{kind}: another learns");
        }
        hear_at(&session, "$default", &about_shop(kind), PAGE, at_ms + reply.every_ms()).await;
        assert_eq!(world.env.take_lines(), [&[CLAIM][..], work, answers].concat(), "{kind}");
    }
}

#[tokio::test]
async fn a_cold_instance_reads_the_app_besides() {
    let world = World::start().await;
    page(&world).await;
    hear(&world.instance(), "$default", &about_shop("check_status"), PAGE).await;
    assert_eq!(world.env.take_lines(), [CLAIM, READ_APP, ANSWER]);
    hear(&world.instance(), "$default", &about_shop("history"), PAGE).await;
    assert_eq!(world.env.take_lines(), [CLAIM, READ_APP, READ_LOGS, ANSWER]);
}

#[tokio::test]
async fn log_entries_cost_a_write_and_a_query_and_a_post_for_each_viewer() {
    let world = World::start().await;
    let session = library(&world).await;
    world.watch("viewer=").await;
    hear(&session, "$default", &logs(1), PROGRAM).await;
    assert_eq!(world.env.take_lines(), [KEEP_LOGS, READ_OTHERS, "POST viewer="]);
    hear(&world.instance(), "$default", &logs(1), PROGRAM).await;
    assert_eq!(world.env.take_lines(), [RECALL, READ_APP, KEEP_LOGS, READ_OTHERS, "POST viewer="]);
    hear(&session, "$default", &logs(60), PROGRAM).await;
    assert_eq!(world.env.take_lines()[..2], [KEEP_LOGS, READ_OTHERS], "49 of them");
    hear(&session, "$default", &logs(60), PROGRAM).await;
    assert_eq!(world.env.take_lines(), NOTHING, "none is left of the second");
}

#[tokio::test]
async fn a_command_costs_two_writes_a_query_a_post_for_each_publisher_and_the_answer() {
    let world = World::start().await;
    let session = page(&world).await;
    world.publish("publisher=").await;
    hear(&session, "$default", &command(true), PAGE).await;
    assert_eq!(world.env.take_lines(), [CLAIM, KEEP_COMMAND, READ_OTHERS, "POST publisher=", ANSWER]);
    hear(&session, "$default", &command(false), PAGE).await;
    assert_eq!(world.env.take_lines(), NOTHING);
}

#[tokio::test]
async fn filter_and_clear_cost_nothing() {
    let world = World::start().await;
    for kind in ["filter", "clear"] {
        hear(&world.instance(), "$default", &about_shop(kind), PAGE).await;
        assert_eq!(world.env.take_lines(), NOTHING, "{kind}");
    }
}

#[tokio::test]
async fn a_flood_costs_a_page_its_connection_and_a_program_its_answers() {
    for (attached, end) in [(PAGE, &[CLOSE][..]), (PROGRAM, &[])] {
        let world = World::start().await;
        let session = world.connected(attached).await;
        for _ in 0..MAX_FRAMES {
            hear(&session, "$default", &about_shop("clear"), attached).await;
        }
        assert_eq!(world.env.take_lines(), NOTHING);
        hear(&session, "$default", &about_shop("check_status"), attached).await;
        assert_eq!(world.env.take_lines(), end);
    }
}
