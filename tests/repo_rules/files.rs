//! Rules about whole files: how they open, how long they are, and what none of them may contain.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::repository::{files_with, root, text_files};
use super::{Findings, assert_none, markdown};

/// Most lines of a file's opening comment. A crate's root may open with an essay.
const OPENING_LINES_MAX: usize = 6;
const ROOT_OPENING_LINES_MAX: usize = 30;
/// Most lines of code in one file, without tests, comments and blank lines.
const CODE_LINES_MAX: usize = 400;
/// Most lines of a lib.rs, which is a table of contents.
const LIB_LINES_MAX: usize = 100;
/// Most lines of one function with its signature.
const FUNCTION_LINES_MAX: usize = 60;

/// What is wrong with a file's opening comment, whose lines start with `marker`.
fn opening(path: &str, text: &str, marker: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().take_while(|line| line.starts_with(marker)).collect();
    let is_root = path.ends_with("main.rs") || path.ends_with("lib.rs");
    let most = if is_root { ROOT_OPENING_LINES_MAX } else { OPENING_LINES_MAX };
    if !lines.iter().any(|line| line.trim_end().ends_with('.')) {
        return Some(format!("{path}: opens with no sentence of {marker}"));
    }
    (lines.len() > most).then(|| format!("{path}: opens with {} lines, at most {most}", lines.len()))
}

fn code_lines(text: &str) -> usize {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

/// Functions that are too long; they end at the first brace with their own indentation.
fn long_functions(path: &str, code: &str) -> Findings {
    let lines: Vec<&str> = code.lines().collect();
    let mut findings = Findings::new();
    for (start, line) in lines.iter().enumerate().filter(|(_, line)| !line.ends_with(['}', ';'])) {
        let Some(name) = super::names::item_name(line, &["fn"]) else { continue };
        let closing = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
        let length = lines[start..].iter().take_while(|line| **line != closing).count() + 1;
        if length > FUNCTION_LINES_MAX {
            findings.push(format!("{path}:{}: {name} has {length} lines", start + 1));
        }
    }
    findings
}

/// Lines that contain one of `marks`.
fn lines_with(path: &str, text: &str, marks: &[&str]) -> Findings {
    let lines = text.lines().enumerate().filter(|(_, line)| marks.iter().any(|mark| line.contains(mark)));
    lines.map(|(index, line)| format!("{path}:{}: {}", index + 1, line.trim())).collect()
}

/// Relative links of a Markdown text whose file or heading does not exist; code and URLs are ignored. `anchors` has
/// those of a file that exists.
fn broken_links(path: &str, text: &str, anchors: impl Fn(&Path) -> Option<Vec<String>>) -> Findings {
    let folder = Path::new(path).parent().unwrap_or(Path::new(""));
    let mut findings = Findings::new();
    for line in markdown::lines(text).iter().filter(|line| !line.is_code) {
        for link in markdown::prose(line.text).links {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { Path::new(path).to_owned() } else { folder.join(file) };
            let place = format!("{path}:{}", line.number);
            match anchors(&target) {
                None => findings.push(format!("{place}: {file} does not exist")),
                Some(anchors) if !anchor.is_empty() && !anchors.iter().any(|one| one == anchor) => {
                    findings.push(format!("{place}: {link}: no heading has this anchor"));
                }
                Some(_) => {}
            }
        }
    }
    findings
}

/// The anchors of a file that exists; only Markdown has some.
fn anchors(path: &Path) -> Option<Vec<String>> {
    let path = root().join(path);
    if path.extension().is_none_or(|extension| extension != "md") {
        return path.exists().then(Vec::new);
    }
    let text = std::fs::read_to_string(path).ok()?;
    Some(markdown::headings(&text).into_iter().map(|heading| heading.anchor).collect())
}

#[test]
fn every_rust_file_opens_with_a_sentence() {
    assert!(opening("a.rs", "fn main() {}\n", "//!").is_some());
    assert!(opening("a.rs", "//! No sentence\nuse x;\n", "//!").is_some());
    assert!(opening("a.rs", &"//! Too much.\n".repeat(7), "//!").is_some());
    assert_none(files_with("rs").iter().filter_map(|file| opening(&file.path, &file.text, "//!")));
}

#[test]
fn every_script_opens_with_a_sentence_and_stays_short() {
    assert!(opening("a.js", "const a = 1;\n", "// ").is_some());
    assert!(opening("a.js", "// What it does.\n", "// ").is_none());
    let scripts = ["js", "mjs", "cjs", "ts", "mts"].into_iter().flat_map(files_with);
    let scripts: Vec<_> = scripts.filter(|file| !file.path.contains("/vendor/")).collect();
    assert!(scripts.len() > 50, "the scripts of the dashboard and the npm package were not found");
    assert_none(scripts.iter().filter_map(|file| opening(&file.path, &file.text, "// ")));
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

// The marks are written in halves, so that no rule finds its own file.
const MACHINES: [&str; 4] =
    [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];
const CONFLICTS: [&str; 3] = [concat!("<<<<", "<<< "), concat!(">>>>", ">>> "), concat!("||||", "||| ")];
const IDLE: [&str; 4] = [
    concat!("#[ig", "nore"),
    concat!("#[should_", "panic"),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
];

#[test]
fn no_text_has_a_path_of_a_developers_machine() {
    assert_eq!(lines_with("a", concat!("see /ro", "ot/x"), &MACHINES).len(), 1);
    assert_none(text_files().iter().flat_map(|file| lines_with(&file.path, &file.text, &MACHINES)));
}

#[test]
fn no_text_contains_a_merge_marker() {
    assert_eq!(lines_with("a", concat!("<<<<", "<<< HEAD\n>>>>", ">>> theirs\n"), &CONFLICTS).len(), 2);
    assert_none(text_files().iter().flat_map(|file| lines_with(&file.path, &file.text, &CONFLICTS)));
}

#[test]
fn no_test_is_ignored_and_no_code_is_a_stub() {
    assert_eq!(lines_with("a", concat!("#[ig", "nore]\nfn f() {\n    to", "do!()\n}\n"), &IDLE).len(), 2);
    assert_none(files_with("rs").iter().flat_map(|file| lines_with(&file.path, &file.text, &IDLE)));
}

/// The programs' consoles, which make everything printable, and the launcher, which prints its own texts.
const CONSOLES: [&str; 3] =
    ["infra/client/src/console.rs", "infra/local/gateway/src/console.rs", "infra/local/launcher/src/main.rs"];
const OUTPUTS: [&str; 2] = ["io::stdout()", "io::stderr()"];

#[test]
fn only_consoles_write_to_a_terminal() {
    assert_eq!(lines_with("a", "write(std::io::stdout())", &OUTPUTS).len(), 1);
    let files: Vec<_> = files_with("rs");
    assert!(CONSOLES.iter().all(|path| files.iter().any(|file| file.path == *path)));
    let others = files.iter().filter(|file| !CONSOLES.contains(&file.path.as_str()));
    assert_none(others.flat_map(|file| lines_with(&file.path, file.code(), &OUTPUTS)));
}

#[test]
fn every_relative_link_has_a_target() {
    let sample = "# H\n[a](b.md#c) [d](https://e.f) [g](#h) [k](#l)\n```\n[i](j)\n```\n";
    let target = |path: &Path| (path == Path::new("docs/x.md")).then(|| vec!["h".to_owned()]);
    let expected = ["docs/x.md:2: b.md does not exist", "docs/x.md:2: #l: no heading has this anchor"];
    assert_eq!(broken_links("docs/x.md", sample, target), expected);
    assert_none(files_with("md").iter().flat_map(|file| broken_links(&file.path, &file.text, anchors)));
}

#[test]
fn every_script_is_executable() {
    let scripts: Vec<_> = text_files().into_iter().filter(|file| file.text.starts_with("#!/")).collect();
    assert!(scripts.iter().any(|file| file.path == ".ci/run"), "the CI script was not found");
    let mode = |path: &str| root().join(path).metadata().unwrap().permissions().mode();
    let failing = scripts.iter().filter(|file| mode(&file.path) & 0o111 == 0);
    assert_none(failing.map(|file| format!("{} is not executable", file.path)));
}
