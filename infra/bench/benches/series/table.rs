//! Prints Markdown tables.

/// Prints a title and the header of a table.
pub(crate) fn begin(title: &str, columns: &[&str]) {
    println!("\n{title}\n\n| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len()));
}

/// Prints a row.
pub(crate) fn row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

/// Milliseconds with one decimal.
pub(crate) fn millis(took: std::time::Duration) -> String {
    format!("{:.1}", took.as_secs_f64() * 1e3)
}
