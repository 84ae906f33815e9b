//! Every way in which a service can keep or break its promise of delivery.

use super::*;
use std::sync::LazyLock;

/// The start of the run.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fn at(micros: u64) -> Instant {
    *START + Duration::from_micros(micros)
}

fn log(publishers: u32, subscribers: u32, apps: usize) -> DeliveryLog {
    let app_ids = (0..apps).map(|app| format!("app{app}")).collect();
    let plan = Plan::spread(publishers, subscribers, apps);
    let mut log = DeliveryLog::new(plan, app_ids, "load-1-".to_owned());
    log.begin_stage(at(0));
    log
}

fn delivery(app: usize, publisher: usize, sequence: u64) -> Delivery {
    Delivery {
        app_id: format!("app{app}"),
        source: format!("load-1-{publisher}"),
        id: format!("id-{publisher}-{sequence}"),
        sequence: Some(sequence),
    }
}

fn last(log: &DeliveryLog) -> StageLog {
    log.stages().pop().unwrap()
}

fn failures(log: &DeliveryLog) -> Vec<String> {
    log.failures().counts().iter().map(ToString::to_string).collect()
}

#[test]
fn report_is_carried_once_acknowledged_and_received_by_all() {
    let mut log = log(1, 2, 1);
    let range = log.send(0, 1, at(1_000));
    log.receive(0, &delivery(0, 0, 0), at(2_000));
    log.acknowledge(0, range, &[], at(3_000));
    assert_eq!((last(&log).carried, last(&log).counts.lost, log.open()), (0, 1, 1));
    log.receive(1, &delivery(0, 0, 0), at(6_000));
    let stage = last(&log);
    assert_eq!((stage.carried, stage.counts.lost, stage.counts.doubled, log.open()), (1, 0, 0, 0));
    assert_eq!(stage.to_ack.quantile_ms(1.0).map(f64::round), Some(2.0));
    assert_eq!(stage.to_last.quantile_ms(1.0).map(f64::round), Some(5.0));
    assert_eq!(stage.last_carried, at(6_000));
}

#[test]
fn slowest_second_may_have_no_reports() {
    let mut log = log(1, 0, 1);
    for (micros, count) in [(100, 3), (1_500_000, 1), (3_900_000, 2)] {
        let range = log.send(0, count, at(micros));
        log.acknowledge(0, range, &[], at(micros));
    }
    let slowest = [0, 1, 2, 3, 9].map(|seconds| last(&log).slowest_second(seconds));
    assert_eq!(slowest, [None, Some(3), Some(1), Some(0), Some(0)]);
}

#[test]
fn report_may_arrive_before_its_acknowledgement() {
    let mut log = log(1, 1, 1);
    let range = log.send(0, 1, at(0));
    log.receive(0, &delivery(0, 0, 0), at(1));
    log.acknowledge(0, range, &[], at(2));
    assert_eq!((last(&log).carried, log.open()), (1, 0));
}

#[test]
fn without_subscribers_acknowledged_reports_are_carried() {
    let mut log = log(1, 0, 1);
    let range = log.send(0, 3, at(0));
    log.acknowledge(0, range, &[], at(2));
    assert_eq!((last(&log).carried, last(&log).counts.lost), (3, 0));
}

#[test]
fn missing_deliveries_are_lost_and_repeated_ones_doubled() {
    let mut log = log(1, 3, 1);
    let range = log.send(0, 2, at(0));
    log.acknowledge(0, range, &[], at(1));
    for micros in 2..5 {
        log.receive(0, &delivery(0, 0, 1), at(micros));
    }
    assert_eq!((last(&log).counts.lost, last(&log).counts.doubled), (5, 2));
}

#[test]
fn unanswered_reports_are_not_lost() {
    let mut log = log(1, 1, 1);
    log.send(0, 4, at(0));
    assert_eq!((last(&log).counts.unanswered, last(&log).counts.lost), (4, 0));
}

#[test]
fn rejected_report_of_a_batch_must_not_be_delivered() {
    let mut log = log(1, 1, 1);
    let range = log.send(0, 2, at(0));
    let (code, message) = ("unavailable".to_owned(), "m".to_owned());
    let rejection = Rejection { code, message, id: None, index: Some(1), retryable: true };
    log.acknowledge(0, range, &[rejection], at(1));
    log.receive(0, &delivery(0, 0, 0), at(2));
    assert_eq!((last(&log).counts.rejected, last(&log).counts.lost, log.open()), (1, 0, 0));
    assert_eq!(failures(&log), ["1 x refused: a report with unavailable"]);
    log.receive(0, &delivery(0, 0, 1), at(3));
    assert!(failures(&log).contains(&"1 x wrong: a rejected report was delivered".to_owned()));
}

#[test]
fn report_at_the_wrong_subscriber_is_a_failure() {
    let mut log = log(2, 2, 2);
    log.send(0, 1, at(0));
    log.receive(1, &delivery(0, 0, 0), at(1));
    assert_eq!(failures(&log), ["1 x wrong: a report of an application without a subscription"]);
    assert_eq!(last(&log).to_last.count(), 0);
}

#[test]
fn ids_must_identify_reports() {
    let mut log = log(1, 2, 1);
    log.send(0, 2, at(0));
    log.receive(0, &delivery(0, 0, 0), at(1));
    log.receive(1, &Delivery { id: "other".to_owned(), ..delivery(0, 0, 0) }, at(1));
    log.receive(0, &Delivery { id: "id-0-0".to_owned(), ..delivery(0, 0, 1) }, at(1));
    assert_eq!(failures(&log), ["1 x wrong: one report with two ids", "1 x wrong: two reports with one id"]);
}

#[test]
fn unknown_reports_are_failures_and_foreign_ones_are_counted() {
    let mut log = log(1, 1, 1);
    log.receive(0, &delivery(0, 0, 7), at(1));
    log.acknowledge(0, ReportRange { first: 3, count: 1 }, &[], at(1));
    assert_eq!(log.failures().total(), 2);
    log.receive(0, &Delivery { source: "web-1".to_owned(), ..delivery(0, 0, 0) }, at(1));
    assert_eq!((log.foreign(), log.failures().total()), (1, 2));
}

#[test]
fn report_belongs_to_the_stage_in_which_it_was_sent() {
    let mut log = log(1, 1, 1);
    let range = log.send(0, 1, at(0));
    log.begin_stage(at(10));
    log.acknowledge(0, range, &[], at(11));
    log.receive(0, &delivery(0, 0, 0), at(12));
    let carried: Vec<u64> = log.stages().iter().map(|stage| stage.carried).collect();
    assert_eq!(carried, [1, 0]);
}
