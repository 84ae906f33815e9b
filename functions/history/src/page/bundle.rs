//! Bundles modules into one script and the style sheet into one line, without comments, indentation and most spaces.
//! All modules share one scope, so a name may be declared only once and imports are dropped. Text literals and the
//! meaning of each line stay as they are.

/// Operators and brackets that need no spaces. Plus and minus do: `a + +b` is not `a++b`.
const SPACED: [&str; 30] = [
    " = ", " => ", " === ", " !== ", " ? ", " : ", " && ", " || ", " ?? ", " < ", " > ", " >= ", " <= ",
    " += ", " -= ", " ||= ", " * ", DIVIDED, ", ", "; ", ": ", " {", "{ ", " }", "} ", " [", "] ", " (",
    ") ", " !",
];
/// Any other slash may begin a regular expression.
const DIVIDED: &str = " / ";

/// The modules as one script, in the order given.
pub(super) fn modules(modules: &[(&str, &str)]) -> String {
    let mut script = String::new();
    for (_, text) in modules {
        for line in lines(text).filter(|line| !line.starts_with("import ")) {
            script.push_str(&compact(line.strip_prefix("export ").unwrap_or(line)));
            // After these the next line may follow on the same one, unless a comment has begun.
            if line.contains("//") || !script.ends_with(['{', ',', ';']) {
                script.push('\n');
            }
        }
    }
    script
}

/// A JSON document as a constant, where modules import it as a file.
pub(super) fn constant(name: &str, json: &str) -> String {
    format!("const {name}={};\n", lines(json).map(compact).collect::<String>())
}

/// The style sheet on one line.
pub(super) fn style(sheet: &str) -> String {
    // In a style sheet a space has a meaning only if it is not beside a sign.
    let signs = [" {", "{ ", " }", "; ", ": ", ", "];
    lines(sheet).map(|line| trimmed(line, &signs)).collect()
}

/// `text` with each of `signs` in the place of the same with spaces.
fn trimmed(text: &str, signs: &[&str]) -> String {
    signs.iter().fold(text.to_owned(), |text, sign| text.replace(sign, sign.trim()))
}

/// `line` without the spaces around operators. Text in quotes or in a template is not changed, nor is a line with a
/// regular expression or a template in a template.
fn compact(line: &str) -> String {
    let has_nested_template = line.matches('`').count() > 2;
    if has_nested_template || line.replace(DIVIDED, "").contains(['/', '\\', '\'']) {
        return line.to_owned();
    }
    let mut open = None;
    let parts = line.split_inclusive(['"', '`']).map(|part| {
        let was_open = open.is_some();
        let sign = part.chars().next_back().filter(|last| matches!(last, '"' | '`'));
        if sign.is_some() && (open.is_none() || open == sign) {
            open = if was_open { None } else { sign };
        }
        if was_open { part.to_owned() } else { trimmed(part, &SPACED) }
    });
    parts.collect()
}

/// The lines without comments, blank lines and indentation.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut in_comment = false;
    text.lines().map(str::trim).filter(move |line| {
        let begins = line.starts_with("/*");
        let is_comment = in_comment || begins || line.starts_with("//") || line.is_empty();
        in_comment = (in_comment || begins) && !line.ends_with("*/");
        !is_comment
    })
}
