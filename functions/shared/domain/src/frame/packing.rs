//! JSON values packed into frames of limited size.

/// Largest frame that the service sends, in bytes: below the 32 KB of one API Gateway frame and message unit.
pub const MAX_OUTBOUND_BYTES: usize = 30 * 1024;

/// Groups of `values` in their order, each as many as fit a frame that has `overhead_bytes` besides their array.
pub(crate) fn pack(values: &[String], overhead_bytes: usize) -> Vec<&[String]> {
    // An array has two brackets, and one comma less than values.
    let room = MAX_OUTBOUND_BYTES - overhead_bytes - 1;
    let mut groups = Vec::new();
    let mut rest = values;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fitting = rest.iter().take_while(|value| {
            bytes += value.len() + 1;
            bytes <= room
        });
        let (group, left) = rest.split_at(fitting.count().max(1));
        groups.push(group);
        rest = left;
    }
    groups
}

/// `values` as one JSON array.
pub fn array(values: &[String]) -> String {
    format!("[{}]", values.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OVERHEAD_BYTES: usize = 200;

    proptest! {
        #[test]
        fn each_value_is_in_one_group_that_fits_a_frame(sizes in prop::collection::vec(0..14_327_usize, 0..60)) {
            let values: Vec<String> =
                sizes.iter().map(|size| format!("{{\"a\":\"{}\"}}", "x".repeat(*size))).collect();
            let groups = pack(&values, OVERHEAD_BYTES);
            let fits = |group: &&[String]| {
                array(group).len() + OVERHEAD_BYTES <= MAX_OUTBOUND_BYTES && !group.is_empty()
            };
            prop_assert!(groups.iter().all(fits));
            prop_assert_eq!(groups.concat(), values);
        }
    }
}
