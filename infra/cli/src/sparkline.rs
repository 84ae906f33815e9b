//! The course of a series in one line of text, and its figures in a few characters.

/// Widest line in characters: it stands beside four figures in 110 columns.
const MAX_WIDTH: usize = 48;

/// The eight heights of a character.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws `points` from left to right, the lowest at the bottom and the highest at the top; a gap is a blank.
/// More points than fit are drawn as means of as many as it takes.
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

/// A figure in at most seven characters: two decimals while they say something, then thousands as k, M, G, T.
pub(crate) fn figure(value: f64) -> String {
    let mut value = value;
    for unit in ["", "k", "M", "G", "T"] {
        if value.abs() < 9_999.5 {
            let decimals = match value.abs() {
                size if value.fract() == 0.0 && unit.is_empty() || size >= 999.5 => 0,
                size if size >= 99.95 => 1,
                _ => 2,
            };
            return format!("{value:.decimals$}{unit}");
        }
        value /= 1_000.0;
    }
    format!("{value:.0e}P")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lowest_and_highest_touch_bottom_and_top_and_gaps_are_blank() {
        assert_eq!(draw(&[Some(0.0), None, Some(50.0), Some(100.0)]), "▁ ▅█");
        assert_eq!(draw(&[Some(7.0), Some(7.0)]), "▁▁");
        assert_eq!(draw(&[None, None]), "  ");
        assert_eq!(draw(&[]), "");
    }

    #[test]
    fn a_week_fits_on_a_line() {
        let week: Vec<Option<f64>> = (0..168).map(|hour| Some(f64::from(hour))).collect();
        let line = draw(&week);
        assert_eq!(line.chars().count(), 42);
        assert!(line.starts_with('▁') && line.ends_with('█'));
    }

    #[test]
    fn figures_are_short() {
        let told = [0.0, 3.0, 61.449, 123.456, 1234.5, 55_762_944.0, 25_274_793_984.0, -0.5].map(figure);
        assert_eq!(told, ["0", "3", "61.45", "123.5", "1234", "55.76M", "25.27G", "-0.50"]);
    }
}
