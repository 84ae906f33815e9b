//! What the rules read of Markdown: which lines are code, the headings with their anchors, and the parts of a line.

/// A line with its number in the file.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) number: usize,
    pub(super) text: &'a str,
    /// Whether it belongs to a code block, as its fences do.
    pub(super) is_code: bool,
}

pub(super) struct Heading<'a> {
    pub(super) level: usize,
    pub(super) title: &'a str,
    /// What a link has after `#` to arrive there.
    pub(super) anchor: String,
}

/// A line outside code blocks, taken apart.
pub(super) struct Prose {
    /// What stands between backticks.
    pub(super) spans: Vec<String>,
    pub(super) links: Vec<String>,
    /// The rest. An empty pair of backticks or of parentheses stands for each span and link.
    pub(super) words: String,
}

pub(super) fn lines(text: &str) -> Vec<Line<'_>> {
    let mut in_block = false;
    let lines = text.lines().enumerate().map(|(index, text)| {
        let is_fence = text.trim_start().starts_with("```");
        in_block ^= is_fence;
        Line { number: index + 1, text, is_code: in_block || is_fence }
    });
    lines.collect()
}

/// The level and title of a heading.
pub(super) fn heading<'a>(line: &Line<'a>) -> Option<(usize, &'a str)> {
    let title = line.text.trim_start_matches('#');
    let level = line.text.len() - title.len();
    (level > 0 && !line.is_code).then_some(())?;
    Some((level, title.strip_prefix(' ')?.trim()))
}

/// All headings of a text, with the anchors that GitHub gives them.
pub(super) fn headings(text: &str) -> Vec<Heading<'_>> {
    let mut headings: Vec<Heading> = Vec::new();
    for (level, title) in lines(text).iter().filter_map(heading) {
        let kept = |letter: &char| letter.is_alphanumeric() || "-_ ".contains(*letter);
        let base: String = title.chars().filter(kept).collect::<String>().to_lowercase().replace(' ', "-");
        let taken = |anchor: &str| headings.iter().any(|heading| heading.anchor == anchor);
        let anchors = std::iter::once(base.clone()).chain((1..).map(|number| format!("{base}-{number}")));
        let anchor = anchors.into_iter().find(|anchor| !taken(anchor)).unwrap_or(base);
        headings.push(Heading { level, title, anchor });
    }
    headings
}

pub(super) fn prose(line: &str) -> Prose {
    let mut prose = Prose { spans: Vec::new(), links: Vec::new(), words: String::new() };
    let mut rest = line;
    while let Some(start) = rest.find(['`', ']']) {
        let (before, marked) = rest.split_at(start);
        prose.words.push_str(before);
        let part = |open: &str, close: char| marked.strip_prefix(open)?.split_once(close);
        if let Some((span, after)) = part("`", '`') {
            prose.spans.push(span.to_owned());
            prose.words.push_str("``");
            rest = after;
        } else if let Some((target, after)) = part("](", ')') {
            prose.links.push(target.split(' ').next().unwrap_or_default().to_owned());
            prose.words.push_str("]()");
            rest = after;
        } else {
            prose.words.push_str(&marked[..1]);
            rest = &marked[1..];
        }
    }
    prose.words.push_str(rest);
    prose
}

#[test]
fn code_and_headings_are_found() {
    let text = "# One `two`, d'été\n```sh\n# no heading\n```\n#no\n## A-b\n## A-b\n";
    let found = headings(text);
    let anchors: Vec<&str> = found.iter().map(|heading| heading.anchor.as_str()).collect();
    assert_eq!(anchors, ["one-two-dété", "a-b", "a-b-1"]);
    assert_eq!((found[1].level, found[1].title), (2, "A-b"));
}

#[test]
fn a_line_is_taken_apart() {
    let parts = prose("see [`a`](b.md#c), `[d](e)` or [f](g \"h\") ] `i");
    assert_eq!(parts.spans, ["a", "[d](e)"]);
    assert_eq!(parts.links, ["b.md#c", "g"]);
    assert_eq!(parts.words, "see [``](), `` or [f]() ] `i");
}
