//! Durations as a number and a unit, such as `8h`.

/// The seconds of a number and one of `units`, such as `8h`; `None` for any other text.
pub(super) fn seconds(text: &str, units: &str) -> Option<u64> {
    let unit = text.chars().next_back().filter(|unit| units.contains(*unit))?;
    let unit_seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    let number: u32 = text.strip_suffix(unit)?.parse().ok()?;
    Some(u64::from(number) * unit_seconds)
}
