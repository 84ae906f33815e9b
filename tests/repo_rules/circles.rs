//! Rule: no file imports in a circle. Imports are read from the tokens of each file, along the `mod` declarations of
//! each crate; a parent that only declares or re-exports a child does not import it, and tests are left out.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::repository::{packages, relative, root};
use super::{Findings, assert_none};

/// A path of module or item names, without `crate`.
type Path = Vec<String>;
/// For each file those that it imports from.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// One file of a crate.
struct Module {
    file: String,
    tokens: Vec<String>,
    uses: Vec<Use>,
}

/// One name that a `use` brings into scope.
struct Use {
    name: String,
    path: Path,
    is_public: bool,
}

/// The modules of a crate by path, starting at its root file.
fn modules_of(root_file: &str, read: &dyn Fn(&str) -> Option<String>) -> BTreeMap<Path, Module> {
    let mut modules = BTreeMap::new();
    let mut unread = vec![(Path::new(), root_file.to_owned())];
    while let Some((path, file)) = unread.pop() {
        let Some(text) = read(&file) else { continue };
        let mut tokens = Vec::new();
        flatten(text.parse().expect("the compiler accepts the file"), &mut tokens);
        let (folder, name) = file.rsplit_once('/').unwrap_or(("", &file));
        let is_folder = path.is_empty() || name == "mod.rs";
        let folder = if is_folder { folder.to_owned() } else { file.trim_end_matches(".rs").to_owned() };
        for declared in tokens.windows(3).filter(|window| window[0] == "mod" && window[2] == ";") {
            let child = &declared[1];
            let places = [format!("{folder}/{child}.rs"), format!("{folder}/{child}/mod.rs")];
            let place = places.into_iter().find(|place| read(place).is_some());
            unread.extend(place.map(|place| ([&path[..], std::slice::from_ref(child)].concat(), place)));
        }
        let uses = uses_of(&tokens);
        modules.insert(path, Module { file, tokens, uses });
    }
    modules
}

/// The tokens in order, `::` as one, without items that are compiled for tests alone.
fn flatten(stream: TokenStream, tokens: &mut Vec<String>) {
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        match tree {
            TokenTree::Group(group) if group.to_string().replace(' ', "") == "[cfg(test)]" => {
                trees.by_ref().find(|tree| {
                    let is_body =
                        matches!(tree, TokenTree::Group(body) if body.delimiter() == Delimiter::Brace);
                    is_body || tree.to_string() == ";"
                });
            }
            TokenTree::Group(group) => {
                let is_brace = group.delimiter() == Delimiter::Brace;
                tokens.push(if is_brace { "{" } else { "(" }.to_owned());
                flatten(group.stream(), tokens);
                tokens.push(if is_brace { "}" } else { ")" }.to_owned());
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => {
                let is_separator = trees.next_if(|next| next.to_string() == ":").is_some();
                tokens.push(if is_separator { "::" } else { ":" }.to_owned());
            }
            other => tokens.push(other.to_string()),
        }
    }
}

fn uses_of(tokens: &[String]) -> Vec<Use> {
    let mut uses = Vec::new();
    for (index, _) in tokens.iter().enumerate().filter(|(_, token)| *token == "use") {
        let is_public = index > 0 && matches!(tokens[index - 1].as_str(), "pub" | ")");
        let mut rest = tokens[index + 1..].iter().map(String::as_str);
        read_use(&mut rest, &Path::new(), is_public, &mut uses);
    }
    uses
}

/// Reads one tree of a `use` and returns the token that ends it.
fn read_use<'a>(
    tokens: &mut impl Iterator<Item = &'a str>,
    prefix: &Path,
    is_public: bool,
    uses: &mut Vec<Use>,
) -> Option<&'a str> {
    let (mut path, mut name) = (prefix.clone(), None);
    let end = loop {
        match tokens.next()? {
            "::" => {}
            "as" => name = tokens.next(),
            "{" => {
                while read_use(tokens, &path, is_public, uses)? == "," {}
                return tokens.next();
            }
            end @ ("," | ";" | "}") => break end,
            "self" if !prefix.is_empty() => name = prefix.last().map(String::as_str),
            segment => {
                path.push(segment.to_owned());
                name = Some(segment);
            }
        }
    };
    uses.extend(name.map(|name| Use { name: name.to_owned(), path, is_public }));
    Some(end)
}

/// `path` as written in the module `at`, from the crate's root; `None` if it leads out of the crate.
fn absolute(modules: &BTreeMap<Path, Module>, at: &[String], path: &[String]) -> Option<Path> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some([at, rest].concat()),
        "super" if rest.first().is_some_and(|next| next == "super") => {
            absolute(modules, &at[..at.len().checked_sub(1)?], rest)
        }
        "super" => Some([&at[..at.len().checked_sub(1)?], rest].concat()),
        _ => {
            let is_child = modules.contains_key(&[at, &path[..1]].concat());
            is_child.then(|| [at, path].concat())
        }
    }
}

/// The file that defines what `path` names, found through at most `depth` re-exports.
fn defining_file<'a>(modules: &'a BTreeMap<Path, Module>, path: &[String], depth: usize) -> Option<&'a str> {
    let length = (0..=path.len()).rev().find(|length| modules.contains_key(&path[..*length]))?;
    let (at, rest) = path.split_at(length);
    let module = &modules[at];
    let exported = rest.first().and_then(|name| module.uses.iter().find(|one| one.name == *name));
    let Some(exported) = exported.filter(|_| depth > 0) else { return Some(&module.file) };
    let target = absolute(modules, at, &exported.path)?;
    defining_file(modules, &[&target, &rest[1..]].concat(), depth - 1)
}

/// The paths that stand in the code outside of `use`.
fn paths_in(tokens: &[String]) -> Vec<Path> {
    let (mut paths, mut index) = (Vec::new(), 0);
    while index < tokens.len() {
        if tokens[index] == "use" {
            index += tokens[index..].iter().take_while(|token| *token != ";").count();
        }
        let mut path = Path::new();
        while tokens.get(index + 1).is_some_and(|next| next == "::") {
            path.push(tokens[index].clone());
            index += 2;
        }
        if !path.is_empty() {
            path.extend(tokens.get(index).cloned());
            paths.push(path);
        }
        index += 1;
    }
    paths
}

fn imports_of(modules: &BTreeMap<Path, Module>) -> Imports {
    let mut imports = Imports::new();
    for (at, Module { file, tokens, uses }) in modules {
        let is_used = |name: &str| tokens.iter().filter(|token| *token == name).count() > 1;
        let used = uses.iter().filter(|one| !one.is_public || is_used(&one.name));
        let paths = used.map(|one| one.path.clone()).chain(paths_in(tokens));
        let absolute = paths.filter_map(|path| absolute(modules, at, &path));
        let files = absolute.filter_map(|path| defining_file(modules, &path, 8).map(str::to_owned));
        imports.insert(file.clone(), files.filter(|imported| imported != file).collect());
    }
    imports
}

/// The files that are in a circle or between two circles, each with those of them that it imports.
fn circles(mut imports: Imports) -> Findings {
    loop {
        let before = imports.len();
        let imported: BTreeSet<String> = imports.values().flatten().cloned().collect();
        let importing: BTreeSet<String> = imports.keys().cloned().collect();
        imports.values_mut().for_each(|files| files.retain(|file| importing.contains(file)));
        imports.retain(|file, files| imported.contains(file) && !files.is_empty());
        if imports.len() == before {
            return imports.iter().map(|(file, files)| format!("{file} imports {files:?}")).collect();
        }
    }
}

fn circles_of(root_file: &str, read: &dyn Fn(&str) -> Option<String>) -> Findings {
    circles(imports_of(&modules_of(root_file, read)))
}

#[test]
fn no_file_imports_in_a_circle() {
    let sample = |file: &str| {
        let text = match file {
            "src/lib.rs" => "mod a; mod b; pub mod c;",
            // A circle through a re-export, found beside a test that does not count.
            "src/a.rs" => "use crate::c::Deep; #[cfg(test)] mod tests { use crate::b::B; }",
            "src/b.rs" => "pub struct B; fn f() { crate::a::g(\"crate::c\") }",
            "src/c.rs" => "mod deep; pub use self::deep::{Deep, other as _};",
            "src/c/deep.rs" => "use super::super::{b::{self, B}}; pub struct Deep;",
            _ => return None,
        };
        Some(text.to_owned())
    };
    let expected = [
        "src/a.rs imports {\"src/c/deep.rs\"}",
        "src/b.rs imports {\"src/a.rs\"}",
        "src/c/deep.rs imports {\"src/b.rs\"}",
    ];
    assert_eq!(circles_of("src/lib.rs", &sample), expected);

    let read = |file: &str| std::fs::read_to_string(root().join(file)).ok();
    let packages = packages();
    let roots = packages.iter().flat_map(|package| &package.targets).map(|target| relative(&target.src_path));
    assert_none(roots.flat_map(|file| circles_of(&file, &read)));
}
