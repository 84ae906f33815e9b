//! Rules about documents: their lists are complete, and what comments cite of them exists.

use std::collections::BTreeSet;

use super::repository::{files_with, read, root, template, text_files};
use super::{Findings, assert_none};

/// The names that the domain gives its rejection codes on the wire.
fn wire_codes(source: &str) -> BTreeSet<&str> {
    let arms = source.lines().filter(|line| line.trim_start().starts_with("Self::"));
    arms.filter_map(|line| line.split_once("=> \"")?.1.strip_suffix("\",")).collect()
}

fn unlisted<'a>(names: impl IntoIterator<Item = &'a str>, document: &str) -> Vec<String> {
    let quoted = names.into_iter().map(|name| format!("`{name}`"));
    quoted.filter(|name| !document.contains(name)).map(|name| format!("{name} is not listed")).collect()
}

#[test]
fn every_rejection_code_is_documented() {
    let sample = "            Self::TooLarge => \"too_large\",\n";
    assert_eq!(unlisted(wire_codes(sample), "`too_deep`"), ["`too_large` is not listed"]);
    let source = read("functions/shared/domain/src/rejection.rs");
    assert!(wire_codes(&source).len() > 10, "the domain's codes were not found");
    assert_none(unlisted(wire_codes(&source), &read("docs/PROTOCOL.md")));
}

#[test]
fn every_table_is_documented() {
    let template = template();
    let resources = template["Resources"].as_mapping().expect("the template has resources");
    let tables = resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::DynamoDB::Table");
    let names: Vec<&str> = tables.filter_map(|(name, _)| name.as_str()?.strip_suffix("Table")).collect();
    assert!(names.len() > 2, "the template's tables were not found");
    let document = read("docs/DATA_MODEL.md");
    assert_none(
        names.iter().filter(|name| !document.contains(**name)).map(|name| format!("{name} is not described")),
    );
}

/// The tests that a page of promises names: what stands in backticks in the last column of its tables.
fn named_tests(page: &str) -> Vec<&str> {
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.contains(". | `"));
    let cells = rows.filter_map(|row| row.trim_end_matches([' ', '|']).rsplit_once(" | "));
    cells.flat_map(|(_, names)| names.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn every_promise_names_tests_that_exist() {
    let sample = "| promised | re-enacted by |\n|---|---|\n| A `tag` holds. | `it_holds`, `it_binds` |\n";
    assert_eq!(named_tests(sample), ["it_holds", "it_binds"]);
    let page = read("docs/SEMANTICS.md");
    let named = named_tests(&page);
    assert!(named.len() > 30, "the promises were not found");
    let files = files_with("rs");
    let exists = |name: &str| files.iter().any(|file| file.text.contains(&format!("fn {name}(")));
    assert_none(named.iter().filter(|name| !exists(name)).map(|name| format!("no test is named {name}")));
}

/// The comments of a text, consecutive lines joined: `//` in code, `#` in scripts and configuration.
fn comments(path: &str, text: &str) -> Vec<String> {
    let is_code = [".rs", ".js", ".mjs", ".cjs", ".ts", ".mts"].iter().any(|end| path.ends_with(end));
    let marker = if is_code { "//" } else { "#" };
    let mut comments = vec![String::new()];
    for line in text.lines().map(str::trim) {
        match line.strip_prefix(marker) {
            Some(rest) => {
                let words = rest.trim_start_matches(['/', '!', '#']).trim();
                comments.last_mut().expect("never empty").push_str(&format!("{words} "));
            }
            None => comments.push(String::new()),
        }
    }
    comments
}

/// Documents that comments cite and that do not exist, and headings that these do not have. A heading is cited by the
/// path of its document, a comma and the heading in quotes.
fn broken_citations(path: &str, text: &str, document: impl Fn(&str) -> Option<String>) -> Findings {
    let mut findings = Findings::new();
    for comment in comments(path, text) {
        for (end, _) in comment.match_indices(".md") {
            let is_path = |letter: char| letter.is_alphanumeric() || "/._-".contains(letter);
            let name = comment[..end].rsplit(|letter| !is_path(letter)).next().unwrap_or_default();
            let after = &comment[end + ".md".len()..];
            if name.is_empty() || name.starts_with("//") || after.starts_with(char::is_alphanumeric) {
                continue;
            }
            let Some(cited) = document(&format!("{name}.md")) else {
                findings.push(format!("{path}: {name}.md does not exist"));
                continue;
            };
            let heading = after.strip_prefix(", \"").and_then(|rest| rest.split_once('"'));
            let headings = cited.lines().filter(|line| line.starts_with('#'));
            let headings: Vec<&str> = headings.map(|line| line.trim_start_matches('#').trim()).collect();
            let missing = heading.filter(|(heading, _)| !headings.contains(heading));
            findings.extend(missing.map(|(heading, _)| format!("{path}: {name}.md has no \"{heading}\"")));
        }
    }
    findings
}

#[test]
fn every_cited_document_and_heading_exists() {
    let sample =
        "// See b.md, \"One\n// two\", and b.md, \"Three\".\nlet x = \"c.md\"; \n/// As gone.md says.\n";
    let document = |path: &str| (path == "b.md").then(|| "# One two\n".to_owned());
    assert_eq!(
        broken_citations("a.rs", sample, document),
        ["a.rs: b.md has no \"Three\"", "a.rs: gone.md does not exist"]
    );
    let files = text_files();
    let ours = files.iter().filter(|file| !file.path.contains("/vendor/") && !file.path.ends_with(".md"));
    assert_none(ours.flat_map(|file| {
        let folder = root().join(&file.path).parent().expect("a file has a folder").to_owned();
        broken_citations(&file.path, &file.text, |name| {
            [root().join(name), folder.join(name)]
                .iter()
                .find_map(|place| std::fs::read_to_string(place).ok())
        })
    }));
}
