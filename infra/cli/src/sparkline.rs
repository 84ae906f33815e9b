//! A series as a sparkline.

/// Longest line in characters: a table row with four figures then fits 120 columns.
const MAX_WIDTH: usize = 48;

/// The characters, from lowest to highest.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws `points`, scaled from their minimum to their maximum; a gap is a blank. If there are more than fit, each
/// character is the mean of several.
pub(crate) fn draw(points: &[Option<f64>]) -> String {
    let per_character = points.len().div_ceil(MAX_WIDTH).max(1);
    let columns: Vec<Option<f64>> = points.chunks(per_character).map(mean).collect();
    let present = || columns.iter().flatten().copied();
    let low = present().fold(f64::INFINITY, f64::min);
    let high = present().fold(f64::NEG_INFINITY, f64::max);
    columns.iter().map(|column| column.map_or(' ', |value| height(value, low, high))).collect()
}

fn mean(points: &[Option<f64>]) -> Option<f64> {
    let present: Vec<f64> = points.iter().flatten().copied().collect();
    (!present.is_empty()).then(|| present.iter().sum::<f64>() / present.len() as f64)
}

fn height(value: f64, low: f64, high: f64) -> char {
    let share = if high > low { (value - low) / (high - low) } else { 0.0 };
    let step = (share * (HEIGHTS.len() - 1) as f64).round() as usize;
    HEIGHTS.get(step).copied().unwrap_or('█')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_scaled_to_its_range_and_gaps_are_blank() {
        assert_eq!(draw(&[Some(0.0), None, Some(50.0), Some(100.0)]), "▁ ▅█");
        assert_eq!(draw(&[Some(7.0), Some(7.0)]), "▁▁");
        assert_eq!(draw(&[None, None]), "  ");
        assert_eq!(draw(&[]), "");
    }

    #[test]
    fn week_fits_on_one_line() {
        let week: Vec<Option<f64>> = (0..168).map(|hour| Some(f64::from(hour))).collect();
        let line = draw(&week);
        assert_eq!(line.chars().count(), 42);
        assert!(line.starts_with('▁') && line.ends_with('█'));
    }
}
