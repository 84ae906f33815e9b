//! Rule: a French document translates its original line by line, so that an edit of one alone is found.
//! Code is the same in both; other lines have the same kind, code spans, links and figures.

use std::collections::BTreeMap;

use super::markdown::{self, Line};
use super::repository::files_with;
use super::{Findings, assert_none};

/// How the path of a French document ends, and that of its original.
const FRENCH: &str = ".fr.md";
const ORIGINAL: &str = ".md";
const REMEDY: &str = "edit both files, so that each line of one translates the same line of the other";
/// What separates figures from thousands and units in French text: it keeps them on one line.
const NO_BREAK_SPACES: [char; 2] = ['\u{a0}', '\u{202f}'];
/// French punctuation with a no-break space before it.
const SPACED: [char; 5] = [':', ';', '?', '!', '»'];

/// The Markdown files by path.
type Documents = BTreeMap<String, String>;

/// How numbers are written in a language.
struct Notation {
    thousands: &'static [char],
    point: char,
}

const ENGLISH_NUMBERS: Notation = Notation { thousands: &[','], point: '.' };
const FRENCH_NUMBERS: Notation = Notation { thousands: &NO_BREAK_SPACES, point: ',' };

/// A heading with the lines below it.
struct Section<'a> {
    title: &'a str,
    lines: Vec<Line<'a>>,
}

/// A document with its translation or its original.
struct Document<'a> {
    path: &'a str,
    text: &'a str,
    numbers: Notation,
}

fn original_of(path: &str) -> Option<String> {
    Some(format!("{}{ORIGINAL}", path.strip_suffix(FRENCH)?))
}

fn french_of(path: &str) -> Option<String> {
    let stem = path.strip_suffix(ORIGINAL).filter(|_| !path.ends_with(FRENCH))?;
    Some(format!("{stem}{FRENCH}"))
}

fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections = vec![Section { title: "", lines: Vec::new() }];
    for line in markdown::lines(text) {
        if let Some((_, title)) = markdown::heading(&line) {
            sections.push(Section { title, lines: Vec::new() });
        }
        sections.last_mut().expect("never empty").lines.push(line);
    }
    sections
}

/// What a line is, without its words.
fn kind(line: &Line) -> String {
    let text = line.text.trim_start();
    let indented = line.text.len() - text.len();
    if line.is_code {
        return format!("code \"{}\"", line.text);
    }
    if let Some((level, _)) = markdown::heading(line) {
        return format!("a heading of level {level}");
    }
    if text.starts_with('|') {
        return format!("a table row of {} cells", cells(text).len());
    }
    let marker = text.split(' ').next().unwrap_or_default();
    let is_numbered = marker.strip_suffix('.').is_some_and(|number| number.parse::<u32>().is_ok());
    match marker {
        "" => "a blank line".to_owned(),
        "-" | "*" | ">" => format!("an item with {marker} after {indented} blanks"),
        _ if is_numbered => format!("an item with {marker} after {indented} blanks"),
        _ => "a line of text".to_owned(),
    }
}

/// The cells of a table row, for which a line that is no row is one cell. A bar in a code span belongs to its cell.
fn cells(text: &str) -> Vec<String> {
    if !text.trim_start().starts_with('|') {
        return vec![text.to_owned()];
    }
    let mut cells = vec![String::new()];
    let mut in_span = false;
    for letter in text.trim().trim_matches('|').chars() {
        in_span ^= letter == '`';
        if letter == '|' && !in_span {
            cells.push(String::new());
        } else {
            cells.last_mut().expect("never empty").push(letter);
        }
    }
    cells
}

/// The numbers of a text in one notation: `1082` and `0.69`.
fn figures(words: &str, notation: &Notation) -> Vec<String> {
    let letters: Vec<char> = words.chars().collect();
    let is_digit =
        |index: Option<usize>| index.and_then(|index| letters.get(index)).is_some_and(char::is_ascii_digit);
    let mut figures = vec![String::new()];
    for (index, letter) in letters.iter().enumerate() {
        let is_inside = is_digit(index.checked_sub(1)) && is_digit(Some(index + 1));
        let figure = figures.last_mut().expect("never empty");
        match letter {
            digit if digit.is_ascii_digit() => figure.push(*digit),
            point if is_inside && (*point == notation.point || *point == '.') => figure.push('.'),
            space if is_inside && notation.thousands.contains(space) => {}
            _ => figures.push(String::new()),
        }
    }
    figures.retain(|figure| !figure.is_empty());
    figures
}

/// The path of a link's file, and its anchor.
fn target<'a>(path: &'a str, link: &'a str) -> (String, &'a str) {
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    if file.is_empty() {
        return (path.to_owned(), anchor);
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    (parts.join("/"), anchor)
}

/// Where a link leads, by a name that does not depend on the language: the original's path and the heading's number.
fn destination(path: &str, link: &str, documents: &Documents) -> String {
    if link.contains("://") {
        return link.to_owned();
    }
    let (file, anchor) = target(path, link);
    let headings = documents.get(&file).map(|text| markdown::headings(text)).unwrap_or_default();
    let number = headings.iter().position(|heading| heading.anchor == anchor);
    let file = original_of(&file).unwrap_or(file);
    match number {
        Some(number) => format!("{file}, heading {}", number + 1),
        None if anchor.is_empty() => file,
        None => format!("{file}#{anchor}"),
    }
}

/// What both languages have in common in a cell, with the name of each part.
fn facts(document: &Document, cell: &str, documents: &Documents) -> [(&'static str, Vec<String>); 3] {
    let prose = markdown::prose(cell);
    let links = prose.links.iter().map(|link| destination(document.path, link, documents));
    let mut facts = [
        ("figures", figures(&prose.words, &document.numbers)),
        ("links", links.collect()),
        ("code spans", prose.spans),
    ];
    for (_, values) in &mut facts {
        values.sort();
    }
    facts
}

/// What differs between a line and its translation.
fn differences(french: (&Document, &Line), english: (&Document, &Line), documents: &Documents) -> Findings {
    let mut findings = Findings::new();
    if french.1.is_code {
        return findings;
    }
    let place = format!("{}:{} and {}:{}", french.0.path, french.1.number, english.0.path, english.1.number);
    for (ours, theirs) in cells(french.1.text).iter().zip(&cells(english.1.text)) {
        let pairs = facts(french.0, ours, documents).into_iter().zip(facts(english.0, theirs, documents));
        for ((part, one), (_, other)) in pairs.filter(|(one, other)| one != other) {
            let (one, other) = (one.join(", "), other.join(", "));
            findings.push(format!("{place}: their {part} differ, [{one}] and [{other}]; {REMEDY}"));
        }
    }
    findings
}

/// Where the headings of two documents differ.
fn other_headings(french: &Document, english: &Document) -> Option<String> {
    let (ours, theirs) = (markdown::headings(french.text), markdown::headings(english.text));
    if ours.len() != theirs.len() {
        let counts = format!("have {} and {} headings", ours.len(), theirs.len());
        return Some(format!("{} and {} {counts}; {REMEDY}", french.path, english.path));
    }
    let (one, other) = ours.iter().zip(&theirs).find(|(one, other)| one.level != other.level)?;
    let levels = format!("\"{}\" has level {}, \"{}\" of", one.title, one.level, other.title);
    Some(format!("{}: {levels} {} has level {}; {REMEDY}", french.path, english.path, other.level))
}

fn unfaithful(french: &Document, english: &Document, documents: &Documents) -> Findings {
    if let Some(finding) = other_headings(french, english) {
        return vec![finding];
    }
    let mut findings = Findings::new();
    for (ours, theirs) in sections(french.text).iter().zip(&sections(english.text)) {
        let pairs = || ours.lines.iter().zip(&theirs.lines);
        let section = format!("{}, \"{}\"", french.path, ours.title);
        if let Some((one, other)) = pairs().find(|(one, other)| kind(one) != kind(other)) {
            let kinds = format!("line {} is {}", one.number, kind(one));
            let original = format!("line {} of {} is {}", other.number, english.path, kind(other));
            findings.push(format!("{section}: {kinds}, {original}; {REMEDY}"));
            continue;
        }
        if ours.lines.len() != theirs.lines.len() {
            let original = format!("\"{}\" of {} has {}", theirs.title, english.path, theirs.lines.len());
            findings.push(format!("{section} has {} lines, {original}; {REMEDY}", ours.lines.len()));
            continue;
        }
        findings
            .extend(pairs().flat_map(|(one, other)| differences((french, one), (english, other), documents)));
    }
    findings
}

/// The files that a document links to, with the numbers of the lines.
fn linked_files(document: &Document) -> Vec<(usize, String)> {
    let lines = markdown::lines(document.text).into_iter().filter(|line| !line.is_code);
    let links = lines
        .flat_map(|line| markdown::prose(line.text).links.into_iter().map(move |link| (line.number, link)));
    links.map(|(number, link)| (number, target(document.path, &link).0)).collect()
}

/// Links that leave the reader's language, except the first of each document, which leads to the other one.
fn foreign_links(french: &Document, english: &Document, documents: &Documents) -> Findings {
    let mut findings = Findings::new();
    let french_of: fn(&str) -> Option<String> = french_of;
    for (document, other, own_language) in [(french, english, french_of), (english, french, original_of)] {
        let files = linked_files(document);
        if files.first().is_none_or(|(_, file)| file != other.path) {
            findings.push(format!("{}: link to {} below the title, first of all", document.path, other.path));
        }
        for (number, file) in files.iter().filter(|(_, file)| file != other.path) {
            let better = own_language(file).filter(|file| documents.contains_key(file));
            findings.extend(better.map(|better| format!("{}:{number}: link to {better}", document.path)));
        }
    }
    findings
}

/// Punctuation of French text without its no-break space.
fn loose_punctuation(path: &str, text: &str) -> Findings {
    let mut findings = Findings::new();
    for line in markdown::lines(text).iter().filter(|line| !line.is_code && !line.text.starts_with("|-")) {
        let letters: Vec<char> = markdown::prose(line.text).words.chars().collect();
        for (index, letter) in letters.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|before| letters.get(before));
            let after = letters.get(index + 1);
            let is_image = *letter == '!' && after == Some(&'[');
            let is_time = before.is_some_and(char::is_ascii_digit) && after.is_some_and(char::is_ascii_digit);
            let neighbour = match letter {
                '«' => after,
                letter if SPACED.contains(letter) && !is_image && !is_time => before,
                _ => continue,
            };
            if !neighbour.is_some_and(|space| NO_BREAK_SPACES.contains(space)) {
                findings.push(format!(
                    "{path}:{}: put a no-break space (U+00A0) between {letter} and its text",
                    line.number
                ));
            }
        }
    }
    findings
}

fn findings(documents: &Documents) -> Findings {
    let mut findings = Findings::new();
    for (path, text) in documents {
        let Some(original) = original_of(path) else { continue };
        let Some(english) = documents.get(&original) else {
            findings.push(format!("{path}: {original} does not exist"));
            continue;
        };
        let french = Document { path, text, numbers: FRENCH_NUMBERS };
        let english = Document { path: &original, text: english, numbers: ENGLISH_NUMBERS };
        findings.extend(unfaithful(&french, &english, documents));
        findings.extend(foreign_links(&french, &english, documents));
        findings.extend(loose_punctuation(path, text));
    }
    findings
}

const ENGLISH_SAMPLE: &str = "# Title

[Français](a.fr.md)

Stores 1,082 reports in `t` within 0.5 s, see [b](docs/b.md#two) and [below](#more).

```
run   # a comment
```

## More

| what | limit |
|---|---|
| `x` or `y|z` | 10 |
";
const FRENCH_SAMPLE: &str = "# Titre

[English](a.md)

Enregistre 1\u{a0}082 rapports dans `t` en 0,5\u{a0}s\u{a0}: voir [b](docs/b.fr.md#deux) et [ci-dessous](#suite).

```
run   # a comment
```

## Suite

| objet | limite |
|---|---|
| `x` ou `y|z` | 10 |
";

/// The findings of the French sample after an edit, beside another document of both languages.
fn findings_after(old: &str, new: &str) -> Findings {
    assert!(FRENCH_SAMPLE.contains(old), "the sample has no {old}");
    let texts = [
        ("a.md", ENGLISH_SAMPLE.to_owned()),
        ("a.fr.md", FRENCH_SAMPLE.replace(old, new)),
        ("docs/b.md", "# One\n[Français](b.fr.md)\n## Two\n".to_owned()),
        ("docs/b.fr.md", "# Un\n[English](b.md)\n## Deux\n".to_owned()),
    ];
    findings(&texts.into_iter().map(|(path, text)| (path.to_owned(), text)).collect())
}

#[test]
fn an_edit_of_one_language_alone_is_found() {
    assert_eq!(findings_after("Titre", "Titre"), [""; 0]);
    let edits = [
        (
            "1\u{a0}082",
            "1\u{a0}083",
            "a.fr.md:5 and a.md:5: their figures differ, [0.5, 1083] and [0.5, 1082]",
        ),
        ("`t`", "`u`", "their code spans differ, [u] and [t]"),
        ("#deux", "#un", "their links differ, [a.md, heading 2, docs/b.md, heading 1] and"),
        ("b.fr.md#deux", "b.md#two", "a.fr.md:5: link to docs/b.fr.md"),
        ("[English](a.md)", "[English](docs/b.md)", "a.fr.md: link to a.md below the title, first of all"),
        (
            "# a comment",
            "# un commentaire",
            "\"Titre\": line 8 is code \"run   # un commentaire\", line 8 of a.md is code",
        ),
        ("## Suite", "### Suite", "\"Suite\" has level 3, \"More\" of a.md has level 2"),
        ("## Suite\n\n", "", "a.fr.md and a.md have 1 and 2 headings"),
        (
            "| objet |",
            "| objet | unité |",
            "\"Suite\": line 13 is a table row of 3 cells, line 13 of a.md is a table row of 2",
        ),
        ("| `x` ou `y|z` | 10 |\n", "", "a.fr.md, \"Suite\" has 4 lines, \"More\" of a.md has 5"),
        (
            "[English](a.md)\n",
            "[English](a.md)\nPlus.\n",
            "line 4 is a line of text, line 4 of a.md is a blank line",
        ),
        ("s\u{a0}:", "s :", "a.fr.md:5: put a no-break space (U+00A0) between : and its text"),
    ];
    for (old, new, expected) in edits {
        let findings = findings_after(old, new);
        assert!(findings.iter().any(|finding| finding.contains(expected)), "{old} to {new}: {findings:#?}");
    }
}

#[test]
fn every_french_document_follows_its_original() {
    let files = files_with("md").into_iter().map(|file| (file.path, file.text));
    let documents: Documents = files.collect();
    assert!(documents.keys().any(|path| path.ends_with(FRENCH)), "the French documents were not found");
    assert_none(findings(&documents));
}
