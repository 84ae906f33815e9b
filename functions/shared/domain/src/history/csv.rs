//! A history answer as CSV (RFC 4180): one line for each point, one column for each aggregate of each series.

use std::fmt::Write;

use super::answer::HistoryAnswer;

/// End of a line (RFC 4180 §2.1).
const LINE_END: &str = "\r\n";

/// First characters that make a spreadsheet run a cell as a formula (OWASP, "CSV Injection"), with their full-width
/// forms.
const FORMULA_STARTS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

impl HistoryAnswer {
    /// The answer as CSV with a header line: `time` in ISO 8601, then for each series and each of its aggregates a
    /// column such as `cpu.usage.avg`. Gaps are empty, their counts 0. Names are not trusted: one that a spreadsheet
    /// would run as a formula gets an apostrophe before it.
    pub fn to_csv(&self) -> String {
        let mut csv = String::from("time");
        for (name, series) in &self.series {
            for aggregate in series.columns.keys() {
                csv.push(',');
                push_cell(&mut csv, &format!("{name}.{}", aggregate.as_str()));
            }
        }
        csv.push_str(LINE_END);
        for (point, start) in self.span.window.starts().enumerate() {
            // Writing to a `String` cannot fail.
            let _ = write!(csv, "{start}");
            for values in self.series.values().flat_map(|series| series.columns.values()) {
                csv.push(',');
                if let Some(Some(number)) = values.get(point) {
                    let _ = write!(csv, "{number}");
                }
            }
            csv.push_str(LINE_END);
        }
        csv
    }
}

/// Writes `text` as one cell, quoted unless it is plain: some spreadsheets also split at semicolons and tabs.
fn push_cell(csv: &mut String, text: &str) {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    // A name that begins with an apostrophe gets one too, so that no two columns have the same heading.
    let starts_formula = text.trim_start().starts_with(FORMULA_STARTS) || text.starts_with('\'');
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
    fn cell_is_quoted_if_needed_and_never_starts_a_formula() {
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
            ("'=1", "\"''=1\""),
        ] {
            let mut csv = String::new();
            push_cell(&mut csv, text);
            assert_eq!(csv, cell);
        }
    }
}
