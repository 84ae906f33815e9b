//! Tests of the bundled page; infra/dashboard/tests opens it in a browser.

use std::collections::BTreeSet;

use super::*;
use document::{CHARTS, Document, MODULES, document, source_hash};

/// Most bytes of the whole page, uncompressed.
const MAX_PAGE_BYTES: usize = 150_000;
const WEBSOCKET: &str = "wss://abc.execute-api.eu-west-3.amazonaws.com/live";

fn header_of(response: &Response<Body>, name: &str) -> String {
    response.headers()[name].to_str().unwrap().to_owned()
}

const GZIP: Codings = Codings { gzip: true, identity: true };
const PLAIN: Codings = Codings { gzip: false, identity: true };

fn text_of(websocket: &str) -> String {
    let answer = Page::new(websocket).answer(PLAIN, |_| false);
    let Body::Text(text) = answer.into_body() else { panic!("the page is text") };
    text
}

#[test]
fn page_is_one_small_document() {
    let text = text_of(WEBSOCKET);
    assert!(text.len() < MAX_PAGE_BYTES, "{} bytes", text.len());
    assert!(!text.contains("{{"), "a placeholder of the document is left");
    let own = text.replace(CHARTS, "");
    for foreign in [" src=", " href=\"http", "@import", "url("] {
        assert!(!own.contains(foreign), "the page loads something: {foreign}");
    }
}

#[test]
fn policy_has_the_hash_of_each_inline_block() {
    let (text, policy) = (text_of(WEBSOCKET), policy(WEBSOCKET));
    let between = |begin: &str, end: &str| {
        let (_, rest) = text.split_once(begin).unwrap();
        source_hash(rest.split_once(end).unwrap().0)
    };
    for inline in [
        between("<style>", "</style>"),
        between("<script>", "</script>"),
        between("<script type=\"module\">", "</script>"),
    ] {
        assert!(policy.contains(&inline), "{inline} in {policy}");
    }
    assert!(!policy.contains("unsafe") && policy.starts_with("default-src 'none'"));
    assert!(policy.contains("connect-src 'self' wss://abc.execute-api.eu-west-3.amazonaws.com;"));
}

#[test]
fn caller_that_has_the_page_gets_304() {
    let page = Page::new(WEBSOCKET);
    let first = page.answer(GZIP, |_| false);
    assert_eq!(
        (first.status().as_u16(), header_of(&first, "content-type").as_str()),
        (200, "text/html; charset=utf-8")
    );
    assert_eq!(header_of(&first, "vary"), "Accept-Encoding");
    let tag = header_of(&first, "etag");
    let second = page.answer(GZIP, |one| one == tag);
    assert_eq!((second.status().as_u16(), second.body()), (304, &Body::Empty));
    assert_ne!(tag, header_of(&page.answer(PLAIN, |_| false), "etag"));
    assert_ne!(tag, header_of(&Page::new("wss://other").answer(GZIP, |_| false), "etag"));
}

#[test]
fn compressed_page_is_one_valid_member() {
    let page = Page::new(WEBSOCKET);
    let answer = page.answer(GZIP, |_| false);
    assert_eq!(header_of(&answer, "content-encoding"), "gzip");
    let Body::Binary(bytes) = answer.into_body() else { panic!("the page is compressed") };
    let mut decoder = flate2::bufread::GzDecoder::new(&bytes[..]);
    let mut text = String::new();
    // It checks CRC and size.
    decoder.read_to_string(&mut text).unwrap();
    assert_eq!(decoder.into_inner(), b"", "a browser ignores what follows the first member");
    let Document { before, after, style, scripts } = document();
    assert_eq!(text, format!("{before}{WEBSOCKET}{after}"));
    assert_eq!(STYLE_HASH, source_hash(&style));
    assert_eq!(SCRIPT_HASHES, scripts.map(|script| source_hash(&script)).join(" "));
    assert!(bytes.len() < text.len() * 2 / 5, "{} of {} bytes", bytes.len(), text.len());
}

#[test]
fn joined_text_of_any_length_is_decompressed() {
    for length in [0, 1, 65_535, 65_536, 100_000] {
        let address = "a".repeat(length);
        let bytes = gzip::joined(&BEFORE, &address, &AFTER);
        let mut text = String::new();
        GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
        let built = document();
        assert_eq!(text.len(), built.before.len() + length.min(65_535) + built.after.len());
    }
}

#[test]
fn address_cannot_leave_its_attribute() {
    let text = text_of("wss://a/\"><script>alert(1)</script>");
    assert!(text.contains("content=\"wss://a/&quot;>&lt;script>alert(1)&lt;/script>\""));
}

#[test]
fn every_module_comes_after_those_that_it_imports() {
    let mut before = BTreeSet::new();
    for (name, text) in MODULES {
        let imports = text.lines().filter(|line| line.starts_with("import "));
        for line in imports.filter(|line| !line.ends_with(" with { type: \"json\" };")) {
            let (names, from) =
                line.split_once(" from \"./").expect("an import is one line and from the same folder");
            let from = from.strip_suffix(".js\";").expect("an import ends its line");
            assert!(names.starts_with("import { ") && !names.contains(" as "), "{name}: {line}");
            assert!(before.contains(from), "{name} imports {from}, which comes after it");
        }
        before.insert(*name);
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/dashboard/src");
    let files =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.collect();
    assert_eq!(files, before.iter().map(|name| format!("{name}.js")).collect());
}

#[test]
fn each_name_is_declared_in_one_module() {
    let mut names = BTreeSet::new();
    for (module, text) in MODULES {
        for line in text.lines().map(|line| line.strip_prefix("export ").unwrap_or(line)) {
            let line = line.strip_prefix("async ").unwrap_or(line);
            let mut words = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            let declares =
                words.next().is_some_and(|word| matches!(word, "const" | "let" | "function" | "class"));
            if let Some(name) = words.next().filter(|_| declares) {
                assert!(names.insert(name), "{module} declares {name} again");
            }
        }
    }
    assert!(names.len() > 100, "the declarations were not found");
}

#[test]
fn bundling_removes_module_syntax_and_keeps_the_meaning() {
    let script = bundle::modules(&[(
        "a",
        "// Why.\nimport { b } from \"./b.js\";\n\n/**\n * What.\n */\nexport const a = 1;\n  a(b);\n",
    )]);
    assert_eq!(script, "const a=1;a(b);");
    let code = "if (f(\"a, ( b\", x + +y, { c: 1 }) ) {\nreturn [!z / 2, `$ {, \"}`, 3];\n}\n";
    let regular_expression = "return /a, b/.test(`${x}, y`);\n";
    let texts = format!("{code}{regular_expression}");
    let compact = "if(f(\"a, ( b\",x + +y,{c:1})){return[!z/2,`$ {, \"}`,3];}\n";
    let joined = format!("{compact}{}", regular_expression.trim_end());
    assert_eq!(bundle::modules(&[("b", &texts)]), joined);
    let comments = "a(\"//\");\nb();// Why;\nc()\nd()\n";
    assert_eq!(bundle::modules(&[("c", comments)]), comments);
    assert_eq!(bundle::style("/* Why. */\na b > c { d: e, f; }\n"), "a b > c{d:e,f;}");
    assert_eq!(bundle::constant("C", "[\n    [\"a, b\", 1],\n    []\n]\n"), "const C=[[\"a, b\",1],[]];\n");
    let script = bundle::modules(MODULES);
    let mut statements = script.split(['\n', ';', '}']);
    assert!(!statements.any(|text| text.starts_with("import ") || text.starts_with("export ")));
    assert!(!script.contains("</script"), "the script would end early");
    // A template literal over several lines would lose its indentation.
    let mut lines = MODULES.iter().flat_map(|(_, text)| bundle::lines(text));
    let odd = lines.find(|line| line.matches('`').count() % 2 == 1);
    assert_eq!(odd, None);
}
