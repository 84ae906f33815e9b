//! The account, told of every way in which a service can keep and break its promise.

use super::*;

fn book(publishers: u32, subscribers: u32, apps: usize) -> Book {
    let app_ids = (0..apps).map(|app| format!("app{app}")).collect();
    let mut book = Book::new(Plan::spread(publishers, subscribers, apps), app_ids, "load-1-".to_owned());
    book.begin_stage(RunTime(0));
    book
}

fn live(app: usize, publisher: usize, sequence: u64) -> Live {
    Live {
        app_id: format!("app{app}"),
        source: format!("load-1-{publisher}"),
        id: format!("id-{publisher}-{sequence}"),
        sequence: Some(sequence),
    }
}

fn last(book: &Book) -> StageBook {
    book.stages().pop().unwrap()
}

fn wrongs(book: &Book) -> Vec<String> {
    book.troubles()
        .counts()
        .into_iter()
        .map(|trouble| format!("{}: {}", trouble.kind, trouble.what))
        .collect()
}

#[test]
fn a_report_is_carried_once_acknowledged_and_seen_by_all() {
    let mut book = book(1, 2, 1);
    let span = book.send(0, 1, RunTime(1_000));
    book.receive(0, &live(0, 0, 0), RunTime(2_000));
    book.acknowledge(0, span, &[], RunTime(3_000));
    assert_eq!((last(&book).carried, last(&book).lost, book.open()), (0, 1, 1));
    book.receive(1, &live(0, 0, 0), RunTime(6_000));
    let stage = last(&book);
    assert_eq!((stage.carried, stage.lost, stage.doubled, book.open()), (1, 0, 0, 0));
    assert_eq!(stage.to_ack.max_ms().map(f64::round), Some(2.0));
    assert_eq!(stage.to_last.max_ms().map(f64::round), Some(5.0));
    assert_eq!(stage.carried_last, RunTime(6_000));
}

#[test]
fn the_slowest_second_is_the_one_that_carried_fewest_even_none() {
    let mut book = book(1, 0, 1);
    for (micros, count) in [(100, 3), (1_500_000, 1), (3_900_000, 2)] {
        let span = book.send(0, count, RunTime(micros));
        book.acknowledge(0, span, &[], RunTime(micros));
    }
    let slowest = |seconds| last(&book).slowest_second(seconds);
    assert_eq!(
        [slowest(0), slowest(1), slowest(2), slowest(3), slowest(9)],
        [None, Some(3), Some(1), Some(0), Some(0)]
    );
}

#[test]
fn a_report_that_arrives_before_its_acknowledgement_is_carried_too() {
    let mut book = book(1, 1, 1);
    let span = book.send(0, 1, RunTime(0));
    book.receive(0, &live(0, 0, 0), RunTime(1));
    book.acknowledge(0, span, &[], RunTime(2));
    assert_eq!((last(&book).carried, book.open()), (1, 0));
}

#[test]
fn without_subscribers_an_acknowledged_report_is_carried() {
    let mut book = book(1, 0, 1);
    let span = book.send(0, 3, RunTime(0));
    book.acknowledge(0, span, &[], RunTime(2));
    assert_eq!((last(&book).carried, last(&book).lost), (3, 0));
}

#[test]
fn each_missing_delivery_is_a_loss_and_each_repeat_a_double() {
    let mut book = book(1, 3, 1);
    let span = book.send(0, 2, RunTime(0));
    book.acknowledge(0, span, &[], RunTime(1));
    book.receive(0, &live(0, 0, 1), RunTime(2));
    book.receive(0, &live(0, 0, 1), RunTime(3));
    book.receive(0, &live(0, 0, 1), RunTime(4));
    let stage = last(&book);
    assert_eq!((stage.lost, stage.doubled), (5, 2));
}

#[test]
fn what_nobody_answered_is_no_loss_but_unanswered() {
    let mut book = book(1, 1, 1);
    book.send(0, 4, RunTime(0));
    assert_eq!((last(&book).unanswered, last(&book).lost), (4, 0));
}

#[test]
fn a_refused_report_of_a_batch_is_expected_nowhere() {
    let mut book = book(1, 1, 1);
    let span = book.send(0, 2, RunTime(0));
    book.acknowledge(0, span, &[(1, "unavailable".to_owned())], RunTime(1));
    book.receive(0, &live(0, 0, 0), RunTime(2));
    assert_eq!((last(&book).rejected, last(&book).lost, book.open()), (1, 0, 0));
    assert_eq!(wrongs(&book), ["refused: a report with unavailable"]);
    book.receive(0, &live(0, 0, 1), RunTime(3));
    assert!(wrongs(&book).contains(&"wrong: a refused report was delivered".to_owned()));
}

#[test]
fn a_report_at_the_wrong_subscriber_is_wrong() {
    let mut book = book(2, 2, 2);
    book.send(0, 1, RunTime(0));
    book.receive(1, &live(0, 0, 0), RunTime(1));
    assert_eq!(wrongs(&book), ["wrong: a report of an application that was not subscribed to"]);
    assert_eq!(last(&book).to_last.count(), 0);
}

#[test]
fn names_must_tell_reports_apart() {
    let mut book = book(1, 2, 1);
    book.send(0, 2, RunTime(0));
    book.receive(0, &live(0, 0, 0), RunTime(1));
    book.receive(1, &Live { id: "other".to_owned(), ..live(0, 0, 0) }, RunTime(1));
    book.receive(0, &Live { id: "id-0-0".to_owned(), ..live(0, 0, 1) }, RunTime(1));
    assert_eq!(wrongs(&book), ["wrong: one report under two ids", "wrong: two reports under one id"]);
}

#[test]
fn what_was_never_sent_is_wrong_and_what_is_not_ours_is_counted_apart() {
    let mut book = book(1, 1, 1);
    book.receive(0, &live(0, 0, 7), RunTime(1));
    book.acknowledge(0, Span { first: 3, count: 1 }, &[], RunTime(1));
    assert_eq!(book.troubles().count(), 2);
    book.receive(0, &Live { source: "web-1".to_owned(), ..live(0, 0, 0) }, RunTime(1));
    assert_eq!((book.foreign(), book.troubles().count()), (1, 2));
}

#[test]
fn a_report_belongs_to_the_stage_it_was_sent_in() {
    let mut book = book(1, 1, 1);
    let span = book.send(0, 1, RunTime(0));
    book.begin_stage(RunTime(10));
    book.acknowledge(0, span, &[], RunTime(11));
    book.receive(0, &live(0, 0, 0), RunTime(12));
    let carried: Vec<u64> = book.stages().iter().map(|stage| stage.carried).collect();
    assert_eq!(carried, [1, 0]);
}
