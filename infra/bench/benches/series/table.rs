//! Tables on the terminal, in Markdown.

/// Begins a table with these columns.
pub(crate) fn begin(title: &str, columns: &[&str]) {
    println!("\n{title}\n\n| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len()));
}

/// One line of it.
pub(crate) fn row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

/// Milliseconds with one decimal.
pub(crate) fn millis(took: std::time::Duration) -> String {
    format!("{:.1}", took.as_secs_f64() * 1e3)
}
