//! What is stored for the published library: claims of replies, log entries, and the last commands.

use nsl_aws::sessions::Updated;
use nsl_domain::legacy::command::{Command, IssuedCommand, Switch};
use nsl_domain::legacy::logs::LOG_RETENTION_MS;
use nsl_domain::legacy::notice::Notice;
use nsl_domain::legacy::session::{Claim, LegacySession, ReplyKind};
use serde_json::json;

use super::*;

const ID: &str = "UIcZQdQsoAMCLTw=";

#[tokio::test]
async fn reply_can_be_claimed_once_per_interval() {
    let env = TestEnvironment::start().await;
    let id = connection(ID);
    assert_eq!(env.sessions().claim(&id, ReplyKind::Status, now()).await.unwrap(), Claim::Gone);
    open(&env, &id).await;
    env.take_calls();
    let mut answered = LegacySession::default();
    for slot in ReplyKind::ALL {
        answered.answered.insert(slot, now());
        let won = env.sessions().claim(&id, slot, now()).await.unwrap();
        assert_eq!(won, Claim::Claimed(answered.clone()), "{slot:?}");
    }
    for slot in ReplyKind::ALL {
        let early = now().plus_ms(slot.every_ms() - 1);
        let lost = env.sessions().claim(&id, slot, early).await.unwrap();
        assert_eq!(lost, Claim::AlreadyClaimed(answered.clone()), "{slot:?}");
        let due = now().plus_ms(slot.every_ms());
        assert!(matches!(env.sessions().claim(&id, slot, due).await.unwrap(), Claim::Claimed(_)));
        answered.answered.insert(slot, due);
    }
    assert_eq!(env.take_lines(), vec!["UpdateItem ConnectionsTable"; 15]);
}

#[tokio::test]
async fn one_of_many_concurrent_claims_succeeds() {
    let env = TestEnvironment::start().await;
    let id = connection(ID);
    open(&env, &id).await;
    let mut claiming = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (sessions, id) = (env.sessions(), id.clone());
        claiming.spawn(async move { sessions.claim(&id, ReplyKind::History, now()).await });
    }
    let claims = claiming.join_all().await;
    let won = claims.iter().filter(|claim| matches!(claim, Ok(Claim::Claimed(_)))).count();
    let lost = claims.iter().filter(|claim| matches!(claim, Ok(Claim::AlreadyClaimed(_)))).count();
    assert_eq!((won, lost), (1, 19));
}

#[tokio::test]
async fn storing_a_legacy_grant_clears_earlier_rejections() {
    let env = TestEnvironment::start().await;
    let id = connection(ID);
    assert_eq!(env.sessions().store_legacy_grant(&id, &grant("shop"), now()).await.unwrap(), Updated::Gone);
    assert_eq!(env.sessions().find_legacy(&id).await.unwrap(), None);
    open(&env, &id).await;
    for later_ms in [0, 5] {
        env.sessions().count_rejection(&id, now().plus_ms(later_ms)).await.unwrap();
    }
    let wrong = env.sessions().find_legacy(&id).await.unwrap().unwrap();
    assert_eq!((wrong.wrong_since, wrong.wrong_at), (Some(now()), Some(now().plus_ms(5))));
    env.take_calls();
    assert_eq!(env.sessions().store_legacy_grant(&id, &grant("shop"), now()).await.unwrap(), Updated::Done);
    let again = env.sessions().store_legacy_grant(&id, &grant("shop"), now()).await.unwrap();
    assert_eq!(again, Updated::Overtaken);
    let welcomed = env.sessions().find_legacy(&id).await.unwrap().unwrap();
    let expected = LegacySession {
        grant: Some(grant("shop")),
        authenticated_at: Some(now()),
        ..LegacySession::default()
    };
    assert_eq!(welcomed, expected);
    assert_eq!(env.sessions().store_legacy_grant(&id, &grant("bank"), now()).await.unwrap(), Updated::Done);
    assert_eq!(env.sessions().close(&id).await.unwrap().published, [super::id("bank"), super::id("shop")]);
}

#[tokio::test]
async fn grant_of_a_frame_is_stored_unless_another_was() {
    let env = TestEnvironment::start().await;
    let (id, sessions) = (connection(ID), env.sessions());
    let (shop, bank) = (grant("shop"), grant("bank"));
    assert_eq!(sessions.store_frame_grant(&id, &shop, None, now()).await.unwrap(), Updated::Gone);
    open(&env, &id).await;
    sessions.note_check(&id, true, now()).await.unwrap();
    let checked = sessions.find_legacy(&id).await.unwrap().unwrap();
    assert_eq!((checked.checked_at, checked.wrong_since), (Some(now()), Some(now())));
    env.take_calls();
    let later = now().plus_ms(5);
    for (new, earlier, stored) in [
        (&shop, Some(&bank), Updated::Overtaken),
        (&shop, None, Updated::Done),
        (&bank, None, Updated::Overtaken),
        (&bank, Some(&bank), Updated::Overtaken),
        (&bank, Some(&shop), Updated::Done),
    ] {
        assert_eq!(sessions.store_frame_grant(&id, new, earlier, later).await.unwrap(), stored);
    }
    assert_eq!(env.take_lines(), ["UpdateItem ConnectionsTable"; 5]);
    let row = sessions.find_legacy(&id).await.unwrap().unwrap();
    let expected = LegacySession { grant: Some(bank), checked_at: Some(later), ..LegacySession::default() };
    assert_eq!(row, expected, "an auth may follow at once");
    assert_eq!(sessions.close(&id).await.unwrap().published, [super::id("bank"), super::id("shop")]);
}

#[tokio::test]
async fn each_notice_is_claimed_once() {
    let env = TestEnvironment::start().await;
    let id = connection(ID);
    assert!(!env.sessions().claim_notice(&id, Notice::Full, now()).await.unwrap(), "the connection is gone");
    open(&env, &id).await;
    for notice in Notice::ALL {
        let (sessions, id) = (env.sessions(), &id);
        let claims = (0..8).map(|_| sessions.claim_notice(id, notice, now()));
        let claims = futures_util::future::join_all(claims).await;
        assert_eq!(claims.into_iter().filter(|claim| *claim.as_ref().unwrap()).count(), 1, "{notice:?}");
    }
    let row = env.sessions().find_legacy(&id).await.unwrap().unwrap();
    assert_eq!(row.notified, Notice::ALL.into());
}

fn entries(numbers: std::ops::Range<i64>) -> Vec<String> {
    numbers.map(|n| json!({ "n": n }).to_string()).collect()
}

#[tokio::test]
async fn log_entries_are_listed_once_oldest_first() {
    let env = TestEnvironment::start().await;
    let (logs, shop) = (env.log_entries(), id("shop"));
    for (age_ms, numbers) in [(2_000, 0..2), (1_000, 2..3), (0, 3..5), (0, 3..5)] {
        logs.put(&shop, &connection(ID), &entries(numbers), now().plus_ms(-age_ms)).await.unwrap();
    }
    logs.put(&id("bank"), &connection(ID), &entries(7..8), now()).await.unwrap();
    env.take_calls();
    let shown = logs.newest(&shop, now().plus_ms(-2_000), now()).await.unwrap();
    assert_eq!((shown.entries, shown.is_complete), (entries(0..5), true));
    assert_eq!(env.take_lines(), ["Query LogsTable consistent"]);
    let later = logs.newest(&shop, now().plus_ms(-1_999), now()).await.unwrap();
    assert_eq!(later.entries, entries(2..5));
    let aged = logs.newest(&shop, now().plus_ms(-2_000), now().plus_ms(LOG_RETENTION_MS)).await.unwrap();
    assert!(aged.entries.is_empty(), "past its age, though it is there");
    assert_eq!(logs.partition(&shop).erase().await.unwrap(), 3);
}

#[tokio::test]
async fn unreadable_log_row_is_skipped() {
    let env = TestEnvironment::start().await;
    let row = json!({"pk": {"S": "shop"}, "sk": {"S": "9"}, "entries": {"S": "no json"},
        "expiresAt": {"N": "9999999999"}});
    env.put("LogsTable", row).await;
    env.log_entries().put(&id("shop"), &connection(ID), &entries(0..1), now()).await.unwrap();
    let shown = env.log_entries().newest(&id("shop"), now(), now()).await.unwrap();
    assert_eq!(shown.entries, entries(0..1));
}

#[tokio::test]
async fn last_command_of_each_switch_is_returned() {
    let env = TestEnvironment::start().await;
    let given = |switch, enabled, later_ms| IssuedCommand {
        command: Command { switch, enabled },
        user: Subject::new("auth0|5f7c").unwrap(),
        at: now().plus_ms(later_ms),
    };
    let last = [given(Switch::Encryption, true, 1), given(Switch::Console, true, 2)];
    env.commands().put(&id("shop"), &given(Switch::Console, false, 0)).await.unwrap();
    for given in &last {
        env.commands().put(&id("shop"), given).await.unwrap();
    }
    env.take_calls();
    assert_eq!(env.commands().of_app(&id("shop")).await.unwrap(), last);
    assert_eq!(env.take_lines(), ["Query ConnectionsTable consistent"]);
    assert!(env.subscriptions().of_app(&id("shop"), now()).await.unwrap().is_empty());
    assert_eq!(env.commands().partition(&id("shop")).erase().await.unwrap(), 2);
}
