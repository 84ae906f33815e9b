//! Random stories of connections against a reference that counts them: what the count may do wrong, and for how long.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use nsl_aws::connection_counts::RECOUNT_EVERY_MS;
use nsl_domain::time::MINUTE_MS;
use nsl_test_support::Failure;
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Stories, unless `PROPTEST_CASES` asks for more.
const MIN_CASES: u32 = 32;

/// Attempts of one call.
const ATTEMPTS: usize = nsl_aws::retries::MAX_ATTEMPTS as usize;

/// For how long the row of a connection counts, as `nsl_aws` stores it.
const TTL_MS: i64 = 130 * MINUTE_MS;

/// Connections of the app at most, and ids of connections.
const MOST: usize = 4;
const NAMES: u8 = 9;

fn cases() -> u32 {
    #[expect(clippy::disallowed_methods, reason = "the variable of every property test")]
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    asked.unwrap_or(MIN_CASES).max(MIN_CASES)
}

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
});

/// One environment for all stories: each has an app of its own.
static ENVIRONMENT: LazyLock<TestEnvironment> = LazyLock::new(|| RUNTIME.block_on(TestEnvironment::start()));

static APPS: AtomicU32 = AtomicU32::new(0);

#[derive(Debug, Clone, Copy)]
enum Step {
    /// A handshake, or the subscription of a viewer, which is admitted likewise.
    Connect(u8),
    Subscribe(u8),
    /// The connection ends, and `$disconnect` is delivered once or twice.
    End(u8, bool),
    /// The change of the count is lost, or made twice because its response is lost.
    BeginBadly(u8, Failure),
    EndBadly(u8, Failure),
    /// The function ends after it put the row, or after it deleted it.
    CrashAfterPut(u8),
    CrashAfterDelete(u8),
    /// The row is past its time to live, and DynamoDB deletes it or not.
    Expire(u8, bool),
    /// The next recount ends after its claim.
    CrashRecount,
    /// The connection begins or ends while the rows are counted.
    BeginDuringRecount(u8),
    EndDuringRecount(u8),
    Wait(i64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let name = || 0..NAMES;
    let failure = || prop_oneof![Just(Failure::InternalError), Just(Failure::ResponseLost)];
    prop_oneof![
        8 => name().prop_map(Step::Connect),
        3 => name().prop_map(Step::Subscribe),
        4 => (name(), any::<bool>()).prop_map(|(name, twice)| Step::End(name, twice)),
        1 => (name(), failure()).prop_map(|(name, failure)| Step::BeginBadly(name, failure)),
        1 => (name(), failure()).prop_map(|(name, failure)| Step::EndBadly(name, failure)),
        1 => name().prop_map(Step::CrashAfterPut),
        2 => name().prop_map(Step::CrashAfterDelete),
        2 => (name(), any::<bool>()).prop_map(|(name, deleted)| Step::Expire(name, deleted)),
        1 => Just(Step::CrashRecount),
        1 => name().prop_map(Step::BeginDuringRecount),
        1 => name().prop_map(Step::EndDuringRecount),
        3 => prop_oneof![Just(1_000), Just(RECOUNT_EVERY_MS), Just(10 * MINUTE_MS)].prop_map(Step::Wait),
    ]
}

/// One app, its count, and what it really has.
struct Story {
    app: AppId,
    at: TimestampMs,
    /// The rows that are not expired: their sort keys, and until when.
    live: BTreeMap<String, i64>,
    /// Rows that are expired and not deleted.
    expired: BTreeSet<String>,
    /// How far the count may be below the rows since the last recount.
    slack: usize,
}

impl Story {
    /// The number of rows that are not expired.
    fn count(&mut self) -> usize {
        let now = self.at.seconds();
        let is_expired = |_: &String, expires_at: &mut i64| *expires_at <= now;
        self.expired.extend(self.live.extract_if(.., is_expired).map(|(sk, _)| sk));
        self.live.len()
    }

    /// Whether one more connection is admitted, by the function.
    async fn is_admitted(&mut self) -> bool {
        ENVIRONMENT.forget_calls();
        let most = u32::try_from(MOST).unwrap();
        let admitted = ENVIRONMENT.publishers().has_connection_room(&self.app, most, self.at).await.unwrap();
        ENVIRONMENT.dynamodb.clear_failures();
        let calls = ENVIRONMENT.take_calls();
        let counted = calls.iter().any(|call| call.operation == "Query");
        if counted && calls.last().is_some_and(|call| call.operation == "UpdateItem") {
            self.slack = 0;
        }
        admitted
    }

    /// Whether one more connection is admitted, which is asserted to be right as far as is stated.
    async fn admit(&mut self) -> bool {
        if self.is_admitted().await {
            assert!(self.count() < MOST + self.slack, "{:?} beyond {}", self.live, self.slack);
            return true;
        }
        if self.count() >= MOST {
            return false;
        }
        // Twice, because a function that recounts may end before it is done.
        self.at = self.at.plus_ms(2 * RECOUNT_EVERY_MS);
        assert!(self.is_admitted().await, "refused for too long: {:?}", self.live);
        true
    }

    /// Stores that the connection `sk` begins; whether it did not have a row.
    fn note_begin(&mut self, sk: String) -> bool {
        self.count();
        // The row of an expired one is replaced, and not counted again.
        self.slack += usize::from(self.expired.remove(&sk));
        self.live.insert(sk, self.at.plus_ms(TTL_MS).seconds()).is_none()
    }

    /// Stores that the connection `sk` ends; whether it had a row that was not expired.
    fn note_end(&mut self, sk: &str) -> bool {
        self.count();
        // An expired row is counted off though a recount has left it out.
        self.slack += usize::from(self.expired.remove(sk));
        self.live.remove(sk).is_some()
    }

    async fn begin(&mut self, name: u8) -> bool {
        let apps = std::slice::from_ref(&self.app);
        ENVIRONMENT.publishers().add(apps, &who(name), &proof(), self.at).await.unwrap();
        self.note_begin(publisher(name))
    }

    /// The connection of a viewer of this app.
    fn watcher(&self, name: u8) -> ConnectionId {
        connection(&format!("{}-{name}=", self.app))
    }

    async fn subscribe(&mut self, name: u8) {
        let watcher = self.watcher(name);
        ENVIRONMENT.sessions().open(&watcher, Role::Page, &[], self.at).await.unwrap();
        ENVIRONMENT.subscriptions().add(&self.app, &viewer(&watcher), self.at).await.unwrap();
        self.note_begin(format!("s#{watcher}"));
    }

    /// Returns how many rows it had.
    async fn end(&mut self, name: u8) -> usize {
        ENVIRONMENT.publishers().delete(&self.app, &who(name)).await.unwrap();
        let published = self.note_end(&publisher(name));
        let watcher = self.watcher(name);
        ENVIRONMENT.subscriptions().delete(&self.app, &watcher).await.unwrap();
        usize::from(published) + usize::from(self.note_end(&format!("s#{watcher}")))
    }

    /// A publisher's row as the table has it, without its count.
    async fn put_uncounted(&self, name: u8, expires_at: i64) {
        let row = json!({"pk": {"S": format!("app#{}", self.app)}, "sk": {"S": publisher(name)},
            "expiresAt": {"N": expires_at.to_string()}});
        ENVIRONMENT.put("ConnectionsTable", row).await;
    }

    async fn delete_uncounted(&self, name: u8) {
        let key = json!({"pk": {"S": format!("app#{}", self.app)}, "sk": {"S": publisher(name)}});
        ENVIRONMENT.dynamodb.direct("DeleteItem", "ConnectionsTable", json!({ "Key": key })).await;
    }

    /// Recounts while a connection begins or ends, between the claim and the count.
    async fn recount_during(&mut self, name: u8, begins: bool) {
        self.at = self.at.plus_ms(10 * MINUTE_MS);
        ENVIRONMENT.dynamodb.clear_failures();
        ENVIRONMENT.forget_calls();
        let held = ENVIRONMENT.dynamodb.hold("Query");
        let (app, at, publishers) = (self.app.clone(), self.at, ENVIRONMENT.publishers());
        let recount = publishers.has_connection_room(&app, 1, at);
        let change = async {
            ENVIRONMENT.wait(|calls| calls.iter().any(|call| call.operation == "Query")).await;
            self.slack = 0;
            if begins {
                self.begin(name).await;
            } else {
                // Counted off twice: by its missing row, and by its subtraction.
                self.slack += self.end(name).await;
            }
            drop(held);
        };
        let (recounted, ()) = futures_util::join!(recount, change);
        recounted.unwrap();
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Connect(name) => {
                if self.admit().await {
                    self.begin(name).await;
                }
            }
            Step::Subscribe(name) => {
                if self.admit().await {
                    self.subscribe(name).await;
                }
            }
            Step::End(name, twice) => {
                for _ in 0..=usize::from(twice) {
                    self.end(name).await;
                }
            }
            Step::BeginBadly(name, failure) => {
                if self.admit().await {
                    fail_change(failure);
                    let is_new = self.begin(name).await;
                    ENVIRONMENT.dynamodb.clear_failures();
                    self.slack += usize::from(is_new && failure != Failure::ResponseLost);
                }
            }
            Step::EndBadly(name, failure) => {
                fail_change(failure);
                let ended = self.end(name).await;
                ENVIRONMENT.dynamodb.clear_failures();
                self.slack += usize::from(ended > 0 && failure == Failure::ResponseLost);
            }
            Step::CrashAfterPut(name) => {
                if self.admit().await {
                    self.put_uncounted(name, self.at.plus_ms(TTL_MS).seconds()).await;
                    self.slack += usize::from(self.note_begin(publisher(name)));
                }
            }
            Step::CrashAfterDelete(name) => {
                self.delete_uncounted(name).await;
                self.note_end(&publisher(name));
            }
            Step::Expire(name, is_deleted) => {
                if self.note_end(&publisher(name)) {
                    self.put_uncounted(name, 1).await;
                    if is_deleted {
                        self.delete_uncounted(name).await;
                    } else {
                        self.expired.insert(publisher(name));
                    }
                }
            }
            Step::CrashRecount => {
                ENVIRONMENT.dynamodb.fail("Query", Failure::InternalError, 2 * ATTEMPTS);
            }
            Step::BeginDuringRecount(name) => self.recount_during(name, true).await,
            Step::EndDuringRecount(name) => self.recount_during(name, false).await,
            Step::Wait(ms) => self.at = self.at.plus_ms(ms),
        }
    }
}

/// Makes the next change of a count fail.
fn fail_change(failure: Failure) {
    let times = if failure == Failure::ResponseLost { 1 } else { ATTEMPTS };
    ENVIRONMENT.dynamodb.clear_failures();
    ENVIRONMENT.dynamodb.fail("UpdateItem", failure, times);
}

fn who(name: u8) -> ConnectionId {
    connection(&format!("{name}="))
}

fn publisher(name: u8) -> String {
    format!("p#{name}=")
}

async fn run(steps: Vec<Step>) {
    ENVIRONMENT.dynamodb.clear_failures();
    let app = id(&format!("app-{}", APPS.fetch_add(1, Ordering::Relaxed)));
    let (live, expired) = (BTreeMap::new(), BTreeSet::new());
    let mut story = Story { app, at: now(), live, expired, slack: 0 };
    for step in steps {
        story.step(step).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    /// Never more than the maximum and the stated slack, never refused for longer than the stated bound.
    #[test]
    fn count_is_wrong_only_as_stated(steps in prop::collection::vec(any_step(), 1..40)) {
        // Not inside the runtime, which cannot wait for itself.
        LazyLock::force(&ENVIRONMENT);
        RUNTIME.block_on(run(steps));
    }
}
