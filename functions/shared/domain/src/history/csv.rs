//! A history answer as CSV: one line for each point, one column for each figure of each series.
//!
//! Owns the quoting (RFC 4180, lines end with CR LF) and the guard against names that a spreadsheet would run as a
//! formula. Ruled by protocol.md §3, `Accept: text/csv`.

use std::fmt::Write;

use super::answer::HistoryAnswer;

/// End of a line (RFC 4180 §2.1).
const LINE_END: &str = "\r\n";

/// What makes a spreadsheet take a cell for a formula at its first character (OWASP, "CSV Injection"), the full-width
/// forms included.
const FORMULA_STARTS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

impl HistoryAnswer {
    /// The answer as CSV with a header line: `time` in ISO 8601, then for each series and each of its aggregates a
    /// column such as `cpu.usage.avg`. Gaps are empty, their counts 0. A name is data of whoever reports: one that
    /// could be taken for a formula gets an apostrophe before it.
    pub fn to_csv(&self) -> String {
        let mut csv = String::from("time");
        for (name, series) in &self.series {
            for column in &series.columns {
                csv.push(',');
                push_cell(&mut csv, &format!("{name}.{}", column.aggregate.as_str()));
            }
        }
        csv.push_str(LINE_END);
        for (point, start) in self.span.window.starts().enumerate() {
            // Writing to a `String` cannot fail.
            let _ = write!(csv, "{start}");
            for column in self.series.values().flat_map(|series| &series.columns) {
                csv.push(',');
                if let Some(Some(number)) = column.values.get(point) {
                    let _ = write!(csv, "{number}");
                }
            }
            csv.push_str(LINE_END);
        }
        csv
    }
}

/// Writes `text` as one cell, quoted unless it is plain: some spreadsheets split at semicolons and tabs too.
fn push_cell(csv: &mut String, text: &str) {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    let starts_formula = text.trim_start().starts_with(FORMULA_STARTS);
    if !starts_formula && text.chars().all(is_plain) {
        csv.push_str(text);
        return;
    }
    csv.push('"');
    if starts_formula || text.starts_with(char::is_control) {
        csv.push('\'');
    }
    csv.push_str(&text.replace('"', "\"\""));
    csv.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_quoted_where_it_must_be_and_never_starts_a_formula() {
        for (text, cell) in [
            ("cpu.usage.avg", "cpu.usage.avg"),
            ("Loopback Pseudo-Interface 1.avg", "\"Loopback Pseudo-Interface 1.avg\""),
            ("a,b\"c\".avg", "\"a,b\"\"c\"\".avg\""),
            ("a\r\nb", "\"a\r\nb\""),
            ("=1+1.avg", "\"'=1+1.avg\""),
            ("-2.avg", "\"'-2.avg\""),
            (" \t@SUM(A1)", "\"' \t@SUM(A1)\""),
            ("\tx", "\"'\tx\""),
            ("＝1", "\"'＝1\""),
            ("a;=1", "\"a;=1\""),
        ] {
            let mut csv = String::new();
            push_cell(&mut csv, text);
            assert_eq!(csv, cell);
        }
    }
}
