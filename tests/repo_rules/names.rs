//! Rules about names of files, crates and items.

use super::repository::{files_with, packages};
use super::{Findings, assert_none};

/// Words that do not describe a thing.
const EMPTY_WORDS: [&str; 11] =
    ["util", "utils", "helper", "helpers", "common", "manager", "processor", "data", "info", "misc", "stuff"];
/// Most words of a test's name, which is a claim of about eight.
const TEST_WORDS_MAX: usize = 14;
/// Most words of a name that is not a sentence.
const NAME_WORDS_MAX: usize = 5;
const ITEM_KEYWORDS: [&str; 6] = ["fn", "struct", "enum", "trait", "mod", "type"];

/// The name that a line of rustfmt's output gives to an item of one of these kinds.
pub(super) fn item_name<'a>(line: &'a str, keywords: &[&str]) -> Option<&'a str> {
    let mut words = line.trim_start().split(' ');
    let mut word = words.next()?;
    while matches!(word, "pub" | "async" | "const" | "unsafe" | "default") || word.starts_with("pub(") {
        word = words.next()?;
    }
    let name = words.next().filter(|_| keywords.contains(&word))?;
    let end = name.find(|letter: char| letter != '_' && !letter.is_alphanumeric()).unwrap_or(name.len());
    Some(&name[..end]).filter(|name| !name.is_empty())
}

/// The words of `snake_case`, `kebab-case` and `CamelCase` names, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in name.chars() {
        if letter.is_uppercase() || !letter.is_alphanumeric() {
            words.push(String::new());
        }
        if letter.is_alphanumeric() {
            words.last_mut().unwrap().extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn empty_word(name: &str) -> Option<String> {
    words(name).into_iter().find(|word| EMPTY_WORDS.contains(&word.as_str()))
}

fn empty_path(path: &str) -> Option<String> {
    let word = path.split('/').find_map(|part| empty_word(part.trim_end_matches(".rs")))?;
    Some(format!("{path}: \"{word}\" describes nothing"))
}

fn items(path: &str, text: &str, fault: impl Fn(&str, &str) -> Option<String>) -> Findings {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let named = ITEM_KEYWORDS.iter().find_map(|kind| Some((*kind, item_name(line, &[kind])?)));
        let reason = named.and_then(|(kind, name)| fault(kind, name).map(|reason| (name, reason)));
        findings.extend(reason.map(|(name, reason)| format!("{path}:{}: {name}: {reason}", index + 1)));
    }
    findings
}

fn empty_item(_kind: &str, name: &str) -> Option<String> {
    // A test's name is a sentence, which may have any word.
    if words(name).len() > NAME_WORDS_MAX {
        return None;
    }
    empty_word(name).map(|word| format!("\"{word}\" describes nothing"))
}

fn overlong(kind: &str, name: &str) -> Option<String> {
    let count = words(name).len();
    (kind == "fn" && count > TEST_WORDS_MAX).then(|| format!("has {count} words, at most {TEST_WORDS_MAX}"))
}

fn idle_prefix(kind: &str, name: &str) -> Option<String> {
    let prefix = ["get_", "test_"].into_iter().find(|prefix| kind == "fn" && name.starts_with(prefix))?;
    Some(format!("the prefix {prefix} is redundant"))
}

#[test]
fn no_file_has_an_empty_word_in_its_name() {
    assert!(empty_path("functions/shared/aws/src/utils.rs").is_some());
    assert!(empty_path("functions/common/src/key.rs").is_some());
    assert!(empty_path("functions/shared/domain/src/metadata.rs").is_none());
    assert_none(files_with("rs").iter().filter_map(|file| empty_path(&file.path)));
}

#[test]
fn no_item_has_an_empty_word_in_its_name() {
    let sample = "pub(crate) struct ConnectionManager {\nfn metadata() {\nasync fn read_data<T>(\nlet data = 1;\n\
        fn data_outlives_the_one_who_wrote_it() {\n";
    assert_eq!(items("a.rs", sample, empty_item).len(), 2);
    assert_none(files_with("rs").iter().flat_map(|file| items(&file.path, &file.text, empty_item)));
}

#[test]
fn no_function_has_an_idle_prefix() {
    let sample = "    pub fn get_key(&self) {\nfn test_key() {\nfn gets_a_key() {\n";
    assert_eq!(items("a.rs", sample, idle_prefix).len(), 2);
    assert_none(files_with("rs").iter().flat_map(|file| items(&file.path, &file.text, idle_prefix)));
}

#[test]
fn no_name_is_longer_than_a_claim() {
    let sample =
        format!("fn {}a() {{\nfn {}a() {{\n", "b_".repeat(TEST_WORDS_MAX - 1), "b_".repeat(TEST_WORDS_MAX));
    assert_eq!(items("a.rs", &sample, overlong).len(), 1);
    assert_none(files_with("rs").iter().flat_map(|file| items(&file.path, &file.text, overlong)));
}

#[test]
fn every_crate_is_named_after_the_project() {
    let is_ours = |name: &str| name.starts_with("nsl-");
    assert!(is_ours("nsl-aws") && !is_ours("aws"));
    assert_none(packages().into_iter().map(|package| package.name).filter(|name| !is_ours(name)));
}
