//! Programs that are admitted by the ids of a frame other than `auth`.

use super::*;
use crate::grant::GrantedApps;
use crate::ids::{AppId, UserId};
use crate::legacy::admission::{Admission, admit_frame};
use crate::legacy::ids::LibraryIds;
use crate::legacy::session::ATTEMPT_EVERY_MS;
use crate::rejection::Code;

/// What becomes of a frame about `shop` whose connection has the session row `session`.
fn admitted(session: LegacySession, rejected: Option<Code>, role: Role, effects: &FakeEffects) -> Admission {
    let mut context = LegacyContext {
        role,
        handshake_grant: None,
        session: Some(session),
        session_read_at: Some(NOW),
        log_room: 50,
        now: NOW,
    };
    let ids = LibraryIds { user: UserId::literal("ann"), app: shop() };
    finished(admit_frame(&ids, rejected, &mut context, effects)).unwrap()
}

fn proving(grant: Grant) -> FakeEffects {
    FakeEffects { proved: Some(grant), ..FakeEffects::default() }
}

#[test]
fn frame_with_right_ids_admits_its_program_with_one_answer() {
    let grant = legacy(Scope::PUBLISH);
    for (is_stored, answers) in [(true, 1), (false, 0)] {
        let effects = FakeEffects { is_stored, ..proving(grant.clone()) };
        let admission = admitted(session(None), None, Role::Program, &effects);
        assert_eq!(admission.grant, Some(grant.clone()), "the frame counts, whichever stored the grant");
        assert_eq!(admission.reply.frames.len(), answers);
    }
    let again = admitted(session(Some(grant.clone())), Some(Code::Forbidden), Role::Program, &proving(grant));
    assert!(again.grant.is_some() && again.reply.frames.is_empty(), "it was answered");
}

#[test]
fn page_and_other_grants_are_never_changed_by_a_frame() {
    let other =
        Grant { reach: GrantedApps::Apps(vec![AppId::new("bank").unwrap()]), ..legacy(Scope::PUBLISH) };
    for (role, grant) in [
        (Role::Page, None),
        (Role::Page, Some(legacy(Scope::VIEW))),
        (Role::ForeignPage, None),
        (Role::Program, Some(other)),
        (Role::Program, Some(by_key(Scope::VIEW))),
    ] {
        let effects = proving(legacy(Scope::PUBLISH));
        let admission = admitted(session(grant.clone()), None, role, &effects);
        assert!(admission.grant.is_none() && admission.reply == Reply::silence(), "{role:?} {grant:?}");
        assert!(effects.calls.borrow().is_empty());
        assert_eq!(effects.refused.borrow().len(), usize::from(grant.is_some()));
    }
}

#[test]
fn first_refusal_of_a_connection_is_silent_and_the_next_a_notice() {
    let refused = |session| {
        let effects = FakeEffects::default();
        let admission = admitted(session, None, Role::Program, &effects);
        assert!(admission.grant.is_none() && admission.reply.counts.refused_programs);
        assert_eq!(effects.calls.borrow()[..2], ["prove_ids", "note_check"]);
        frames(&admission.reply)
    };
    assert_eq!(refused(session(None)), [json!(null); 0], "its auth may be under way");
    let long_ago = Some(NOW.plus_ms(-ATTEMPT_EVERY_MS));
    for earlier in [
        LegacySession { checked_at: long_ago, ..session(None) },
        LegacySession { wrong_since: long_ago, wrong_at: long_ago, ..session(None) },
        session(Some(legacy(Scope::PUBLISH))),
        session(Some(library_with_key(Scope::BOTH))),
    ] {
        assert_eq!(refused(earlier), [notice(Notice::Unproved)]);
    }
}

#[test]
fn ids_are_checked_once_in_ten_seconds() {
    let lately = Some(NOW.plus_ms(1 - ATTEMPT_EVERY_MS));
    let grant = Some(legacy(Scope::PUBLISH));
    for row in [
        LegacySession { checked_at: lately, ..session(None) },
        LegacySession { wrong_at: lately, ..session(None) },
        LegacySession { checked_at: lately, ..session(grant) },
    ] {
        let effects = proving(legacy(Scope::PUBLISH));
        assert!(admitted(row.clone(), None, Role::Program, &effects).grant.is_none());
        assert!(effects.calls.borrow().is_empty());
        assert_eq!(effects.refused.borrow().len(), usize::from(row.grant.is_some()));
    }
}

#[test]
fn switched_off_app_is_named_to_its_proved_programs_only_once() {
    let grant = legacy(Scope::PUBLISH);
    let effects = FakeEffects { is_active: false, ..proving(grant.clone()) };
    let fresh = admitted(session(None), None, Role::Program, &effects);
    assert_eq!(frames(&fresh.reply)[1], notice(Notice::SwitchedOff));
    assert!(fresh.grant.is_none() && effects.refused.borrow().len() == 1);

    let inactive = Some(Code::AppInactive);
    let connected = admitted(session(Some(grant.clone())), inactive, Role::Program, &effects);
    assert_eq!(frames(&connected.reply), [notice(Notice::SwitchedOff)]);
    let notified = [Notice::SwitchedOff].into();
    let again = LegacySession { notified, ..session(Some(grant)) };
    effects.calls.borrow_mut().clear();
    assert!(admitted(again, inactive, Role::Program, &effects).reply.frames.is_empty());
    assert!(effects.calls.borrow().is_empty(), "the row says so");
}

#[test]
fn frame_of_an_ended_connection_counts_and_changes_nothing() {
    let effects = proving(legacy(Scope::PUBLISH));
    let admission = admitted(LegacySession::ended(), None, Role::Program, &effects);
    assert!(admission.grant.is_some() && admission.reply == Reply::silence());
    assert_eq!(*effects.calls.borrow(), ["prove_ids"]);
    let wrong = FakeEffects::default();
    assert!(admitted(LegacySession::ended(), None, Role::Program, &wrong).grant.is_none());
    assert_eq!(*wrong.calls.borrow(), ["prove_ids"]);
}

#[test]
fn full_app_admits_a_program_once_there_is_room() {
    let effects = FakeEffects { has_connection_room: false, ..proving(legacy(Scope::PUBLISH)) };
    let refused = admitted(session(None), None, Role::Program, &effects);
    assert!(refused.grant.is_none());
    assert_eq!(frames(&refused.reply), [notice(Notice::Full)]);
    let later = LegacySession { checked_at: Some(NOW.plus_ms(-ATTEMPT_EVERY_MS)), ..session(None) };
    assert!(admitted(later, None, Role::Program, &proving(legacy(Scope::PUBLISH))).grant.is_some());
}

#[test]
fn log_entries_admit_their_program_and_are_stored() {
    let data = json!({"userId": "ann", "appId": "shop", "logs": [{"message": "m"}]});
    let frame = json!({"type": "logs", "data": data});
    let effects = proving(legacy(Scope::PUBLISH));
    let admitted = reply(&frame, Role::Program, &effects);
    assert_eq!(
        (frames(&admitted)[0]["type"].clone(), admitted.counts.dropped_logs),
        (json!("auth_success"), 0)
    );
    assert!(effects.calls.borrow().contains(&"store_log_entries"));
    let refused = reply(&frame, Role::Program, &FakeEffects::default());
    assert_eq!((refused.frames.len(), refused.counts.dropped_logs), (0, 1));
}

proptest! {
    #[test]
    fn no_admission_breaks_a_program_or_answers_an_error(
        row in any_session(), effects in any_effects(), inactive in any::<bool>(),
    ) {
        let mut context = LegacyContext {
            role: Role::Program, handshake_grant: None, session: Some(row), session_read_at: Some(NOW),
            log_room: 50, now: NOW,
        };
        let ids = LibraryIds { user: UserId::literal("ann"), app: shop() };
        let code = inactive.then_some(Code::AppInactive);
        let Ok(admission) = finished(admit_frame(&ids, code, &mut context, &effects)) else { return Ok(()) };
        for text in &admission.reply.frames {
            prop_assert_eq!(failure(text, Role::Program), None, "{}", text);
            prop_assert!(!text.contains("\"error\""));
        }
        prop_assert!(effects.proved.is_some() || admission.grant.is_none());
        prop_assert!(admission.reply.frames.len() <= 2);
    }
}
