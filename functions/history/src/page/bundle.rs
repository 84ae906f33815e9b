//! Many files as one: modules as a single script, the style sheet as a single line.
//!
//! Modules share one scope here, so a name stands for one thing in all of them, and imports need not be resolved.
//! What is written for readers of the source (comments, indentation, spaces around signs) is left out, and never inside
//! a text. No line's meaning is changed, and none is joined with another.

/// Signs that need no spaces. Plus and minus do: `a + +b` is not `a++b`.
const SPACED: [(&str, &str); 16] = [
    (" = ", "="),
    (" => ", "=>"),
    (" === ", "==="),
    (" !== ", "!=="),
    (" ? ", "?"),
    (" : ", ":"),
    (" && ", "&&"),
    (" || ", "||"),
    (" ?? ", "??"),
    (" < ", "<"),
    (" > ", ">"),
    (", ", ","),
    ("; ", ";"),
    (": ", ":"),
    (" {", "{"),
    (" }", "}"),
];

/// The modules as one script, in the order given.
pub(super) fn modules(modules: &[(&str, &str)]) -> String {
    let mut script = String::new();
    for (_, text) in modules {
        for line in lines(text).filter(|line| !line.starts_with("import ")) {
            script.push_str(&compact(line.strip_prefix("export ").unwrap_or(line)));
            script.push('\n');
        }
    }
    script
}

/// The style sheet on one line.
pub(super) fn style(sheet: &str) -> String {
    // The spaces that separate mean something in a sheet only where no sign stands beside them.
    let signs = [" {", "{ ", " }", "; ", ": ", ", "];
    let compact =
        |line: &str| signs.iter().fold(line.to_owned(), |line, sign| line.replace(sign, sign.trim()));
    lines(sheet).map(compact).collect()
}

/// `line` without the spaces around signs. What stands in quotes stays as it is, and so does a line with a template or a
/// slash, which may begin a pattern.
fn compact(line: &str) -> String {
    if line.contains(['`', '/', '\\', '\'']) {
        return line.to_owned();
    }
    let squeezed =
        |part: &str| SPACED.iter().fold(part.to_owned(), |part, (wide, slim)| part.replace(wide, slim));
    let parts = line.split('"').enumerate();
    let parts = parts.map(|(place, part)| if place % 2 == 0 { squeezed(part) } else { part.to_owned() });
    parts.collect::<Vec<_>>().join("\"")
}

/// `text` as the value of an attribute in quotes.
pub(super) fn attribute(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

/// The lines that are no comments, without indentation.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut in_comment = false;
    text.lines().map(str::trim).filter(move |line| {
        let begins = line.starts_with("/*");
        let is_comment = in_comment || begins || line.starts_with("//") || line.is_empty();
        in_comment = (in_comment || begins) && !line.ends_with("*/");
        !is_comment
    })
}
