//! Rule: no text uses words that an earlier vocabulary of this project gave private meanings.

use super::repository::text_files;
use super::{Findings, assert_none};

/// Words and phrases that must not occur, in lower case, with what to write instead.
const BANNED: [(&str, &str); 28] = [
    ("tell", "return, report, name"),
    ("tells", "returns, reports, names"),
    ("told", "returned, reported, sent"),
    ("telling", "returning, reporting"),
    ("nobody", "no client, no caller"),
    ("somebody", "a client, a caller"),
    ("whoever", "the caller that"),
    ("anew", "again"),
    ("thereof", "of it"),
    ("mend", "repair, rebuild"),
    ("mends", "repairs, rebuilds"),
    ("mended", "repaired, rebuilt"),
    ("part with", "expire, drop"),
    ("parts with", "expires, drops"),
    ("parted with", "expired, dropped"),
    ("patience", "limit, timeout"),
    ("stranger", "unauthenticated client"),
    ("strangers", "unauthenticated clients"),
    ("acquaintance", "cached connection"),
    ("acquaintances", "cached connections"),
    ("believe", "cache, trust"),
    ("believes", "caches, trusts"),
    ("believed", "cached, trusted"),
    ("belief", "cached value"),
    ("refuses to", "does not"),
    ("ruled by", "see"),
    ("errand", "request flow"),
    ("tidy", "repo rules"),
];
/// Texts that may use one of the words, by the end of their path.
const EXCEPTIONS: [(&str, &str); 4] = [
    ("CHANGELOG.md", "quotes what earlier versions called things"),
    ("infra/bench/load/args.rs", "accepts the older name of the flag `--timeout`"),
    ("infra/deploy/sam-build", "calls `tell` of a file in Python"),
    ("repo_rules/vocabulary.rs", "has the list"),
];

fn banned(path: &str, text: &str) -> Findings {
    let mut findings = Findings::new();
    for (index, line) in text.lines().enumerate() {
        let words: Vec<String> =
            line.split(|letter: char| !letter.is_alphanumeric()).map(str::to_lowercase).collect();
        let words = format!(" {} ", words.join(" "));
        let found = BANNED.iter().find(|(word, _)| words.contains(&format!(" {word} ")));
        findings
            .extend(found.map(|(word, instead)| format!("{path}:{}: {word}; write {instead}", index + 1)));
    }
    findings
}

#[test]
fn no_text_uses_the_private_vocabulary() {
    let sample = "fn told_by(x: u8) {}\n// Refuses to retell, stoldly.\nlet Strangers;\n";
    assert_eq!(banned("a.rs", sample).len(), 3);
    let is_excepted = |path: &str| EXCEPTIONS.iter().any(|(end, _)| path.ends_with(end));
    let files = text_files();
    let foreign = ["/vendor/", "/fixtures/", "/golden/"];
    let is_foreign = |path: &str| foreign.iter().any(|folder| path.contains(folder));
    let ours = files.iter().filter(|file| !is_foreign(&file.path) && !is_excepted(&file.path));
    assert_none(ours.flat_map(|file| banned(&file.path, &file.text)));
}
