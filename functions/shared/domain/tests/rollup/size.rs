//! Sizes of the rollups of the library's reports.

use nsl_domain::rollup::Rollup;

use nsl_test_support::hosts::{Host, Kind, hour};

/// Most bytes of an hour's rollup of the library's series, one report a second.
const HOUR_BYTES_MAX: usize = 2_500;
/// A minute must fit one write unit of 1,024 bytes with its keys and attribute names, which take less than 150.
const MINUTE_BYTES_MAX: usize = 870;

fn mean(rollups: &mut [Rollup]) -> usize {
    rollups.iter_mut().map(|rollup| rollup.to_bytes().unwrap().len()).sum::<usize>() / rollups.len()
}

fn sizes(kind: Kind, hosts: u64) -> [usize; 3] {
    let mut hosts: Vec<Host> = (0..hosts).map(|index| Host::new(kind, index)).collect();
    hour(&mut hosts, 1).map(|mut rollups| mean(&mut rollups))
}

#[test]
fn an_hour_of_library_reports_fits_the_size_limits() {
    for kind in [Kind::Linux, Kind::Windows] {
        let [minute, ten_minutes, hour] = sizes(kind, 1);
        println!("{kind:?}, 1 source: {minute} {ten_minutes} {hour}");
        assert!(hour <= HOUR_BYTES_MAX, "{kind:?}: {hour} bytes");
        assert!(minute <= MINUTE_BYTES_MAX, "{kind:?}: {minute} bytes");
    }
}

#[test]
fn three_sources_fit_the_same_limit() {
    let [minute, ten_minutes, hour] = sizes(Kind::Linux, 3);
    println!("3 sources: {minute} {ten_minutes} {hour}");
    assert!(hour <= HOUR_BYTES_MAX, "{hour} bytes");
}
