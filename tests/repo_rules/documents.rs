//! Rules about the documents: what they list, they list whole.

use std::collections::BTreeSet;

use yaml_serde::Value;

use super::assert_none;
use super::repository::{files_with, read};

/// The names that the domain gives its rejection codes on the wire.
fn wire_codes(source: &str) -> BTreeSet<&str> {
    let arms = source.lines().filter(|line| line.trim_start().starts_with("Self::"));
    arms.filter_map(|line| line.split_once("=> \"")?.1.strip_suffix("\",")).collect()
}

fn unlisted<'a>(names: impl IntoIterator<Item = &'a str>, document: &str) -> Vec<String> {
    let quoted = |name: &str| document.contains(&format!("`{name}`"));
    names.into_iter().filter(|name| !quoted(name)).map(|name| format!("`{name}` is not listed")).collect()
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
    let template: Value = yaml_serde::from_str(&read("template.yaml")).expect("the template is YAML");
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
