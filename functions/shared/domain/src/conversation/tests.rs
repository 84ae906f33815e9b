//! What is promised in this protocol's own dialect, frame by frame and over random answers.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::frame::control::{ControlFrame, Request};
use crate::frame::envelope::FrameId;
use crate::grant::{GrantedApps, Proof};
use crate::ids::{KeyId, Scope, UserId};

fn shop() -> AppId {
    AppId::new("shop").unwrap()
}

fn ann() -> UserId {
    UserId::new("ann").unwrap()
}

fn grant(scope: Scope, proof: Proof) -> Grant {
    Grant { user: ann(), scope, reach: GrantedApps::Apps(vec![shop()]), proof, until: None }
}

fn by_key() -> Grant {
    grant(Scope::Both, Proof::Key(KeyId::new("k1").unwrap()))
}

fn key() -> Credential {
    Credential::ApiKey("k".into())
}

fn hear(request: Request, grant: Option<Grant>) -> (Conversation, Move) {
    let frame = ControlFrame { id: Some(FrameId::Number(7)), request };
    let standing = Standing { grant, is_fixed: false };
    Conversation::hear(frame, standing, TimestampMs::clamped(1_800_000_000_000))
}

fn types(ended: &Move) -> Vec<String> {
    let Move::End(verdict) = ended else { panic!("still asking: {ended:?}") };
    let kind =
        |frame: &String| serde_json::from_str::<Value>(frame).unwrap()["type"].as_str().unwrap().to_owned();
    verdict.frames.iter().map(kind).collect()
}

fn is_of_stranger(ended: &Move) -> bool {
    matches!(ended, Move::End(verdict) if verdict.is_of_stranger)
}

#[test]
fn a_grant_is_kept_before_it_is_told() {
    let (mut conversation, first) = hear(Request::Auth { app: shop(), credential: key() }, None);
    assert_eq!(first, Move::Ask(Question::Prove { app: shop(), credential: key() }));
    assert_eq!(conversation.learn(Answer::Proved(Ok(by_key()))), Move::Ask(Question::FindRoom(shop())));
    assert_eq!(conversation.learn(Answer::Done), Move::Ask(Question::Remember(by_key())));
    assert_eq!(types(&conversation.learn(Answer::Done)), ["auth_success"]);
}

#[test]
fn a_full_app_turns_the_next_one_away() {
    let (mut conversation, _) = hear(Request::Auth { app: shop(), credential: key() }, None);
    conversation.learn(Answer::Proved(Ok(by_key())));
    let turned = conversation.learn(Answer::TooMany);
    assert_eq!(types(&turned), ["error"]);
    assert!(matches!(turned, Move::End(verdict) if !verdict.close && !verdict.is_of_stranger));
}

#[test]
fn who_proves_the_same_again_takes_no_more_room() {
    let (mut conversation, _) = hear(Request::Auth { app: shop(), credential: key() }, Some(by_key()));
    assert_eq!(conversation.learn(Answer::Proved(Ok(by_key()))), Move::Ask(Question::Remember(by_key())));
}

#[test]
fn a_grant_of_the_handshake_can_be_confirmed_and_not_changed() {
    let other = grant(Scope::View, Proof::Key(KeyId::new("k2").unwrap()));
    for (proved, answer) in [(by_key(), "auth_success"), (other, "error")] {
        let frame = ControlFrame { id: None, request: Request::Auth { app: shop(), credential: key() } };
        let standing = Standing { grant: Some(by_key()), is_fixed: true };
        let (mut conversation, _) = Conversation::hear(frame, standing, TimestampMs::clamped(0));
        assert_eq!(types(&conversation.learn(Answer::Proved(Ok(proved)))), [answer]);
    }
}

#[test]
fn a_wrong_key_is_told_once_then_silence_then_the_end() {
    for (count, frames, close) in [(1, 1, false), (2, 0, false), (MAX_AUTH_REFUSALS, 0, true)] {
        let (mut conversation, _) = hear(Request::Auth { app: shop(), credential: key() }, None);
        let asked = conversation.learn(Answer::Proved(Err(Rejection::unauthorized())));
        assert_eq!(asked, Move::Ask(Question::CountRefusal));
        let Move::End(verdict) = conversation.learn(Answer::Refusals(count)) else { panic!() };
        assert_eq!((verdict.frames.len(), verdict.close), (frames, close), "{count}");
    }
}

#[test]
fn a_subscription_is_kept_before_the_replay_is_read() {
    let request = Request::Subscribe { app: shop(), since: None, min_interval_ms: 250 };
    let (mut conversation, first) = hear(request, Some(by_key()));
    let may = Question::MayWatch { grant: Some(by_key()), app: shop() };
    assert_eq!(first, Move::Ask(may));
    let (dialect, proof) = (Dialect::Modern, by_key().subscription_proof());
    let expected = Question::AddSubscription { app: shop(), min_interval_ms: 250, dialect, proof };
    assert_eq!(conversation.learn(Answer::Allowed(Ok(()))), Move::Ask(expected));
    let asked = conversation.learn(Answer::Done);
    assert!(matches!(asked, Move::Ask(Question::ReadRecent { .. })), "{asked:?}");
    assert_eq!(types(&conversation.learn(Answer::Recent { reports: vec![], all: true })), ["subscribed"]);
}

#[test]
fn a_stranger_may_neither_subscribe_nor_unsubscribe() {
    let request = Request::Subscribe { app: shop(), since: None, min_interval_ms: 0 };
    let (mut conversation, _) = hear(request, None);
    let refused = conversation.learn(Answer::Allowed(Err(Rejection::unauthorized())));
    assert_eq!(types(&refused), ["error"]);
    assert!(is_of_stranger(&refused));
    let (_, refused) = hear(Request::Unsubscribe { app: shop() }, None);
    assert_eq!(types(&refused), ["error"]);
    assert!(is_of_stranger(&refused));
}

fn any_request() -> impl Strategy<Value = Request> {
    prop_oneof![
        Just(Request::Ping),
        Just(Request::Auth { app: shop(), credential: key() }),
        Just(Request::Subscribe { app: shop(), since: None, min_interval_ms: 0 }),
        Just(Request::Unsubscribe { app: shop() }),
    ]
}

fn any_answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        Just(Answer::Proved(Ok(by_key()))),
        Just(Answer::Proved(Err(Rejection::unauthorized()))),
        Just(Answer::Done),
        Just(Answer::Gone),
        Just(Answer::TooMany),
        (1..10_u32).prop_map(Answer::Refusals),
        Just(Answer::Allowed(Ok(()))),
        Just(Answer::Allowed(Err(Rejection::unauthorized()))),
        Just(Answer::Recent { reports: vec![], all: true }),
        Just(Answer::Failed),
    ]
}

fn any_grant() -> impl Strategy<Value = Option<Grant>> {
    prop_oneof![Just(None), Just(Some(by_key())), Just(Some(grant(Scope::View, Proof::Legacy)))]
}

proptest! {
    #[test]
    fn whatever_is_answered_every_frame_ends_soon_and_two_way_routes_have_a_body(
        request in any_request(),
        grant in any_grant(),
        answers in prop::collection::vec(any_answer(), 8),
    ) {
        let is_tried = matches!(request, Request::Auth { .. } | Request::Ping) || grant.is_some();
        let two_way =
            matches!(request, Request::Ping | Request::Subscribe { .. } | Request::Unsubscribe { .. });
        let is_auth = matches!(request, Request::Auth { .. });
        let (mut conversation, mut next) = hear(request, grant);
        let mut proved = false;
        for answer in answers {
            if matches!(next, Move::End(_)) {
                break;
            }
            proved |= matches!(answer, Answer::Proved(Ok(_)));
            next = conversation.learn(answer);
        }
        let kinds = types(&next);
        if two_way {
            prop_assert!(!kinds.is_empty());
        }
        if is_auth {
            prop_assert!(kinds.len() <= 1);
        }
        prop_assert!(!(is_tried && is_of_stranger(&next)), "an auth or a ping counts");
        prop_assert!(proved || !kinds.contains(&"auth_success".to_owned()));
        let Move::End(verdict) = next else { panic!() };
        for frame in &verdict.frames {
            prop_assert_eq!(crate::frame::outbound::deadly::hurt(frame, Role::Program), None);
        }
    }
}
