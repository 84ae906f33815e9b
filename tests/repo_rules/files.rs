//! Rules about whole files: how they open, how long they are, and what none of them may contain.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::repository::{files_with, root, text_files};
use super::{Findings, assert_none};

/// Most lines of a file's opening comment. A crate's root may open with an essay.
const OPENING_LINES_MAX: usize = 6;
const ROOT_OPENING_LINES_MAX: usize = 30;
/// Most lines of code in one file, without tests, comments and blank lines.
const CODE_LINES_MAX: usize = 400;
/// Most lines of a lib.rs, which is a table of contents.
const LIB_LINES_MAX: usize = 100;
/// Most lines of one function with its signature.
const FUNCTION_LINES_MAX: usize = 60;

fn opening(path: &str, text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
    let is_root = path.ends_with("main.rs") || path.ends_with("lib.rs");
    let most = if is_root { ROOT_OPENING_LINES_MAX } else { OPENING_LINES_MAX };
    if !lines.iter().any(|line| line.trim_end().ends_with('.')) {
        return Some(format!("{path}: opens with no sentence of //!"));
    }
    (lines.len() > most).then(|| format!("{path}: opens with {} lines of //!, at most {most}", lines.len()))
}

fn code_lines(text: &str) -> usize {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

/// Name, first line and length of each function, found by the indentation of the closing brace.
fn functions(text: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = super::names::item_name(line, &["fn"]) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let closing = format!("{indent}}}");
        for (offset, current) in lines[start..].iter().enumerate() {
            let opens = current.ends_with('{') && offset == 0;
            if *current == closing || (offset == 0 && !opens && current.ends_with(['}', ';'])) {
                found.push((name.to_owned(), start + 1, offset + 1));
                break;
            }
        }
    }
    found
}

fn long_functions(path: &str, code: &str) -> Findings {
    functions(code)
        .into_iter()
        .filter(|(_, _, length)| *length > FUNCTION_LINES_MAX)
        .map(|(name, line, length)| format!("{path}:{line}: {name} has {length} lines"))
        .collect()
}

fn lines_with(path: &str, text: &str, matches: impl Fn(&str) -> bool) -> Findings {
    text.lines()
        .enumerate()
        .filter(|(_, line)| matches(line))
        .map(|(index, line)| format!("{path}:{}: {}", index + 1, line.trim()))
        .collect()
}

fn names_a_machine(line: &str) -> bool {
    // Split, so that this file does not match.
    [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")]
        .iter()
        .any(|path| line.contains(path))
}

fn is_merge_marker(line: &str) -> bool {
    ["<<<<<<< ", ">>>>>>> ", "||||||| "].iter().any(|marker| line.starts_with(marker))
}

/// Relative links of a Markdown text whose target does not exist; code blocks and URLs are ignored.
fn broken_links(path: &str, text: &str, exists: impl Fn(&Path) -> bool) -> Findings {
    let folder = Path::new(path).parent().unwrap_or(Path::new(""));
    let mut findings = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        in_code ^= line.trim_start().starts_with("```");
        for link in line.split("](").skip(1).filter(|_| !in_code) {
            let target = link.split([')', '#', ' ']).next().unwrap_or_default();
            let elsewhere = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
            if !elsewhere && !exists(&folder.join(target)) {
                findings.push(format!("{path}: {target} does not exist"));
            }
        }
    }
    findings
}

#[test]
fn every_rust_file_opens_with_a_sentence() {
    assert!(opening("a.rs", "fn main() {}\n").is_some());
    assert!(opening("a.rs", "//! No sentence\nuse x;\n").is_some());
    assert!(opening("a.rs", &"//! Too much.\n".repeat(7)).is_some());
    assert_none(files_with("rs").iter().filter_map(|file| opening(&file.path, &file.text)));
}

/// Scripts of the dashboard open as Rust files do, vendored ones excepted.
fn script_opening(path: &str, text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().take_while(|line| line.starts_with("// ")).collect();
    if !lines.iter().any(|line| line.trim_end().ends_with('.')) {
        return Some(format!("{path}: opens with no sentence of //"));
    }
    (lines.len() > OPENING_LINES_MAX).then(|| format!("{path}: opens with {} lines of //", lines.len()))
}

#[test]
fn every_script_opens_with_a_sentence_and_stays_short() {
    assert!(script_opening("a.js", "const a = 1;\n").is_some());
    assert!(script_opening("a.js", "// What it does.\n").is_none());
    let scripts = files_with("js").into_iter().filter(|file| !file.path.contains("/vendor/"));
    let scripts: Vec<_> = scripts.collect();
    assert!(scripts.len() > 30, "the dashboard's scripts were not found");
    assert_none(scripts.iter().filter_map(|file| script_opening(&file.path, &file.text)));
    let long = scripts.iter().filter(|file| code_lines(&file.text) > CODE_LINES_MAX);
    assert_none(long.map(|file| format!("{} has {} lines of code", file.path, code_lines(&file.text))));
}

#[test]
fn every_lib_is_a_table_of_contents() {
    let too_long = |text: &str| text.lines().count() > LIB_LINES_MAX;
    assert!(too_long(&"mod x;\n".repeat(LIB_LINES_MAX + 1)));
    let libs = files_with("rs").into_iter().filter(|file| file.path.ends_with("/lib.rs"));
    assert_none(libs.filter(|file| too_long(&file.text)).map(|file| format!("{} is too long", file.path)));
}

#[test]
fn no_file_is_too_long() {
    assert_eq!(code_lines("//! x\n\nuse a;\n// why\nfn f() {\n}\n"), 3);
    let long = files_with("rs").into_iter().filter(|file| code_lines(file.code()) > CODE_LINES_MAX);
    assert_none(long.map(|file| format!("{} has {} lines of code", file.path, code_lines(file.code()))));
}

#[test]
fn no_function_is_longer_than_a_screen() {
    let body = "    step();\n".repeat(FUNCTION_LINES_MAX);
    let sample = format!("fn short();\nfn tiny() {{}}\npub async fn long(\n    a: u8,\n) {{\n{body}}}\n");
    assert_eq!(long_functions("a.rs", &sample), ["a.rs:3: long has 64 lines"]);
    assert_none(files_with("rs").iter().flat_map(|file| long_functions(&file.path, file.code())));
}

#[test]
fn no_text_has_a_path_of_a_developers_machine() {
    assert!(names_a_machine(concat!("see /ro", "ot/x")));
    assert_none(text_files().iter().flat_map(|file| lines_with(&file.path, &file.text, names_a_machine)));
}

#[test]
fn no_text_contains_a_merge_marker() {
    assert!(is_merge_marker("<<<<<<< HEAD") && is_merge_marker(">>>>>>> theirs"));
    assert_none(text_files().iter().flat_map(|file| lines_with(&file.path, &file.text, is_merge_marker)));
}

#[test]
fn every_relative_link_has_a_target() {
    let sample = "[a](b.md#c) [d](https://e.f) [g](#h)\n```\n[i](j)\n```\n";
    assert_eq!(broken_links("docs/x.md", sample, |_| false), ["docs/x.md: b.md does not exist"]);
    let exists = |path: &Path| root().join(path).exists();
    assert_none(files_with("md").iter().flat_map(|file| broken_links(&file.path, &file.text, exists)));
}

#[test]
fn every_script_is_executable() {
    let scripts: Vec<_> = text_files().into_iter().filter(|file| file.text.starts_with("#!/")).collect();
    assert!(scripts.iter().any(|file| file.path == ".ci/run"), "the CI script was not found");
    let mode = |path: &str| root().join(path).metadata().unwrap().permissions().mode();
    let failing = scripts.iter().filter(|file| mode(&file.path) & 0o111 == 0);
    assert_none(failing.map(|file| format!("{} is not executable", file.path)));
}
