//! What the library and its dashboard ask for beside `auth`: status, logs, history, commands.
//!
//! Owns who may: `logs` needs leave to publish; commands and the last report leave to view; history and the commands
//! that hold are told to whoever `legacy` lets in, and to other viewers. Refuses in silence. Ruled by protocol.md §2,
//! rules 2, 6 and 8.

use super::conversation::Listener;
use super::session::ReplyKind;
use crate::app::{App, Status};
use crate::conversation::{Answer, Move, Question, Tally, Verdict};
use crate::frame::fields::Field;
use crate::frame::outbound::{AppStatus, Dialect, Outbound, live_frame};
use crate::grant::{Action, Grant, GrantedApps, Role};
use crate::ids::{AppId, Scope, UserId};
use crate::legacy::command::{Command, IssuedCommand};
use crate::legacy::frames::{HistoryShape, LegacyRequest};
use crate::legacy::logs;

/// One frame that asks for something.
#[derive(Debug)]
pub(super) struct Errand {
    task: Task,
    app: Field<AppId>,
    stage: Stage,
}

/// What is asked for.
#[derive(Debug)]
enum Task {
    Status(Field<UserId>),
    History(HistoryShape),
    LastActions,
    Logs { entries: Vec<String>, dropped: usize },
    Command(Option<Command>),
    Metrics,
}

/// What the last question was about.
#[derive(Debug)]
enum Stage {
    Learning,
    Finding(UserId),
    Admitting { app: AppId, grant: Grant },
    Reading,
    Keeping(AppId),
    Telling,
    Ended,
}

impl Errand {
    /// Absorbs the frame if this instance knows enough, or else asks the session row.
    pub(super) fn begin(request: LegacyRequest, log_room: usize, listener: &mut Listener) -> (Self, Move) {
        let (task, app) = match request {
            LegacyRequest::Status { user, app } => (Task::Status(user), app),
            LegacyRequest::History { app, shape } => (Task::History(shape), app),
            LegacyRequest::LastActions { app } => (Task::LastActions, app),
            LegacyRequest::Logs { app, mut entries, dropped: unreadable } => {
                let dropped = unreadable + entries.len().saturating_sub(log_room);
                entries.truncate(log_room);
                (Task::Logs { entries, dropped }, app)
            }
            LegacyRequest::Command { app, command } => (Task::Command(command), app),
            LegacyRequest::Metrics { app } => (Task::Metrics, app),
            LegacyRequest::Ignored => {
                let idle = Self { task: Task::Metrics, app: Field::Absent, stage: Stage::Ended };
                return (idle, listener.dismissal().unwrap_or(Move::End(Verdict::absorbed())));
            }
        };
        let mut errand = Self { task, app, stage: Stage::Ended };
        let first = errand.start(listener);
        (errand, first)
    }

    pub(super) fn learn(&mut self, answer: Answer, listener: &mut Listener) -> Move {
        match (std::mem::replace(&mut self.stage, Stage::Ended), answer) {
            (Stage::Learning, Answer::Claimed(remembered) | Answer::Recalled(remembered)) => {
                listener.remembered = Some(remembered);
                listener.dismissal().unwrap_or_else(|| self.proceed(listener))
            }
            (Stage::Learning, Answer::Repeated(remembered)) => {
                listener.remembered = Some(remembered);
                listener.dismissal().unwrap_or(Move::End(Verdict::absorbed()))
            }
            (Stage::Finding(user), Answer::App(app)) => {
                Move::End(Verdict::say(&Outbound::Status(status_of(app.as_deref(), &user, listener.role))))
            }
            (Stage::Admitting { app, grant }, Answer::Allowed(Ok(()))) => self.act(app, &grant, listener),
            (Stage::Admitting { .. }, Answer::Allowed(Err(_))) => Move::End(self.refuse()),
            (Stage::Keeping(app), Answer::Done) => self.tell(app),
            (Stage::Telling, _) => Move::End(self.told()),
            (Stage::Reading, answer) => Move::End(self.show(answer, listener)),
            _ => Move::End(self.fail()),
        }
    }

    /// The kind of answer that this frame wants; `logs` wants none.
    fn kind(&self) -> Option<ReplyKind> {
        match self.task {
            Task::Status(_) => Some(ReplyKind::Status),
            Task::History(_) => Some(ReplyKind::History),
            Task::LastActions => Some(ReplyKind::LastActions),
            Task::Command(_) => Some(ReplyKind::Command),
            Task::Metrics => Some(ReplyKind::Metrics),
            Task::Logs { .. } => None,
        }
    }

    fn start(&mut self, listener: &Listener) -> Move {
        if let Some(dismissal) = listener.dismissal() {
            return dismissal;
        }
        let Some(kind) = self.kind() else { return self.start_logs(listener) };
        let is_repeat =
            listener.remembered.as_ref().is_some_and(|known| known.has_just_answered(kind, listener.now));
        if is_repeat {
            return Move::End(Verdict::absorbed());
        }
        self.ask(Question::Claim(kind), Stage::Learning)
    }

    fn start_logs(&mut self, listener: &Listener) -> Move {
        if matches!(&self.task, Task::Logs { entries, .. } if entries.is_empty()) {
            return Move::End(self.told());
        }
        if listener.grant().is_some() {
            return self.proceed(listener);
        }
        self.ask(Question::Recall, Stage::Learning)
    }

    fn ask(&mut self, question: Question, stage: Stage) -> Move {
        self.stage = stage;
        Move::Ask(question)
    }

    /// Once it is known who speaks. A stranger is told the status of what it names, and nothing else.
    fn proceed(&mut self, listener: &Listener) -> Move {
        let app = self.meant(listener.grant());
        if let Task::Status(user) = &self.task {
            let user = match user {
                Field::Valid(user) => Some(user.clone()),
                Field::Absent => listener.grant().map(|grant| grant.user.clone()),
                Field::Malformed => None,
            };
            return match app.zip(user) {
                Some((app, user)) => self.ask(Question::FindApp(app), Stage::Finding(user)),
                None => Move::End(Verdict::say(&Outbound::Status(AppStatus::Unknown))),
            };
        }
        match listener.grant().cloned().zip(app) {
            Some((grant, app)) if self.is_open_to(&grant) => {
                let action = self.action(&grant);
                let question = Question::May { grant: Some(grant.clone()), action, app: app.clone() };
                self.ask(question, Stage::Admitting { app, grant })
            }
            Some(_) => Move::End(self.refuse()),
            None => Move::End(self.fail()),
        }
    }

    /// The application that is named, or the only one of the grant.
    fn meant(&self, grant: Option<&Grant>) -> Option<AppId> {
        match (&self.app, grant.map(|grant| &grant.reach)) {
            (Field::Valid(app), _) => Some(app.clone()),
            (Field::Absent, Some(GrantedApps::Apps(apps))) => match apps.as_slice() {
                [only] => Some(only.clone()),
                _ => None,
            },
            _ => None,
        }
    }

    /// A command changes what publishers do: leave to view alone is not enough, except for the dashboard, whose grant
    /// has nothing else.
    fn is_open_to(&self, grant: &Grant) -> bool {
        match self.task {
            Task::Command(command) => {
                let may_command =
                    if grant.is_legacy() { grant.scope == Scope::View } else { grant.scope == Scope::Both };
                may_command && command.is_some()
            }
            _ => true,
        }
    }

    /// What the sender must be allowed to do. The library asks for its own history, and may only publish.
    fn action(&self, grant: &Grant) -> Action {
        match self.task {
            Task::Logs { .. } => Action::Publish,
            Task::History(_) | Task::LastActions if grant.is_legacy() && grant.scope == Scope::Publish => {
                Action::Publish
            }
            _ => Action::View,
        }
    }

    fn act(&mut self, app: AppId, grant: &Grant, listener: &Listener) -> Move {
        match &mut self.task {
            Task::History(_) => self.ask(Question::ReadLogs(app), Stage::Reading),
            Task::LastActions => {
                self.app = Field::Valid(app.clone());
                self.ask(Question::ReadCommands(app), Stage::Reading)
            }
            Task::Metrics => self.ask(Question::ReadLast(app), Stage::Reading),
            Task::Logs { entries, .. } => {
                let entries = entries.clone();
                self.ask(Question::KeepLogs { app: app.clone(), entries }, Stage::Keeping(app))
            }
            Task::Command(Some(command)) => {
                let given = IssuedCommand { command: *command, user: grant.user.clone(), at: listener.now };
                self.ask(Question::KeepCommand { app: app.clone(), given }, Stage::Keeping(app))
            }
            Task::Command(None) | Task::Status(_) => Move::End(self.refuse()),
        }
    }

    /// What is kept is told: stored first, then broadcast.
    fn tell(&mut self, app: AppId) -> Move {
        match &self.task {
            Task::Logs { entries, .. } => {
                let groups = logs::groups(entries).into_iter();
                let frames = groups.map(|group| Outbound::Logs(group.to_vec()).render()).collect();
                self.ask(Question::TellViewers { app, frames }, Stage::Telling)
            }
            Task::Command(Some(command)) => {
                let frame = Outbound::Command(*command).render();
                self.ask(Question::TellPublishers { app, frame }, Stage::Telling)
            }
            _ => Move::End(Verdict::silence()),
        }
    }

    /// The end of what was told to others.
    fn told(&self) -> Verdict {
        match &self.task {
            Task::Logs { dropped, .. } => drop_logs(*dropped),
            Task::Command(command) => Verdict::say(&Outbound::CommandResponse(*command)),
            _ => Verdict::silence(),
        }
    }

    /// The end of what was asked for.
    fn show(&self, answer: Answer, listener: &Listener) -> Verdict {
        match (&self.task, answer) {
            (Task::History(wished), Answer::Logs(entries)) => {
                // Whatever it asks for, a program is answered in the one shape that the library reads.
                let shape = if listener.role == Role::Program { HistoryShape::Library } else { *wished };
                let groups = logs::groups(&entries).into_iter();
                let frames = groups.map(|group| Outbound::History(group.to_vec(), shape).render());
                Verdict { frames: frames.collect(), ..Verdict::default() }
            }
            (Task::LastActions, Answer::Commands(given)) => match &self.app {
                Field::Valid(app) => Verdict::say(&Outbound::LastActions(app.clone(), given)),
                _ => Verdict::silence(),
            },
            (Task::Metrics, Answer::Last(Some(report))) => {
                let is_legacy = listener.grant().is_some_and(Grant::is_legacy);
                let dialect = if is_legacy { Dialect::Legacy } else { Dialect::Modern };
                let frames = live_frame(&report, dialect).into_iter().collect();
                Verdict { frames, ..Verdict::default() }
            }
            _ => Verdict::silence(),
        }
    }

    /// A dashboard that gives a command waits for a response; nothing else of this dialect can be refused aloud.
    fn refuse(&self) -> Verdict {
        match &self.task {
            Task::Command(_) => Verdict::say(&Outbound::CommandResponse(None)),
            _ => self.fail(),
        }
    }

    fn fail(&self) -> Verdict {
        match &self.task {
            Task::Logs { entries, dropped } => drop_logs(entries.len() + dropped),
            _ => Verdict::silence(),
        }
    }
}

fn drop_logs(count: usize) -> Verdict {
    let dropped_logs = u64::try_from(count).unwrap_or(u64::MAX);
    Verdict { tally: Tally { dropped_logs, ..Tally::default() }, ..Verdict::default() }
}

/// What is told of `app` to one who says to be `user`: the same for an application that is unknown, another's, or not
/// open to the library, and for a page that it would not be open to.
fn status_of(app: Option<&App>, user: &UserId, role: Role) -> AppStatus {
    match app {
        Some(app) if app.legacy && app.owner == *user && role != Role::ForeignPage => match app.status {
            Status::Active => AppStatus::Active,
            Status::Inactive => AppStatus::Inactive,
        },
        _ => AppStatus::Unknown,
    }
}
