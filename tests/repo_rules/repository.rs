//! What the rules read: the text files and packages of the repository.
//! Build output, foreign hidden folders and files that are not UTF-8 are left out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use yaml_serde::Value;

/// One sentence for each fault, starting with the place.
pub(super) type Findings = Vec<String>;

/// Hidden folders and files that belong to the project.
const OWN_HIDDEN: [&str; 4] = [".ci", ".cargo", ".gitignore", ".github"];

pub(super) struct TextFile {
    /// Relative to the root, with forward slashes.
    pub(super) path: String,
    pub(super) text: String,
}

#[derive(Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) manifest_path: PathBuf,
    pub(super) dependencies: Vec<Dependency>,
    pub(super) targets: Vec<Target>,
}

#[derive(Deserialize)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) kind: Option<String>,
    pub(super) path: Option<PathBuf>,
}

#[derive(Deserialize)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) kind: Vec<String>,
    pub(super) src_path: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

impl TextFile {
    /// The part of a Rust file before its unit tests; empty for a file of tests.
    pub(super) fn code(&self) -> &str {
        let only_tests = self.path.split('/').any(|part| matches!(part, "tests" | "benches" | "tests.rs"));
        if only_tests {
            return "";
        }
        self.text.split("\n#[cfg(test)]").next().unwrap_or_default()
    }
}

impl Package {
    /// The crate's folder, relative to the root.
    pub(super) fn folder(&self) -> String {
        relative(self.manifest_path.parent().unwrap())
    }

    pub(super) fn binaries(&self) -> impl Iterator<Item = &str> {
        self.targets.iter().filter(|target| target.kind == ["bin"]).map(|target| target.name.as_str())
    }
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

pub(super) fn text_files() -> Vec<TextFile> {
    let mut files = Vec::new();
    collect(root(), &mut files);
    assert!(files.len() > 10, "the repository's files were not found");
    files
}

pub(super) fn files_with(extension: &str) -> Vec<TextFile> {
    let wanted = format!(".{extension}");
    text_files().into_iter().filter(|file| file.path.ends_with(&wanted)).collect()
}

pub(super) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|cause| panic!("reading {path}: {cause}"))
}

pub(super) fn template() -> Value {
    yaml_serde::from_str(&read("template.yaml")).expect("the template is YAML")
}

pub(super) fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo metadata starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Metadata>(&output.stdout).expect("cargo metadata is JSON").packages
}

#[track_caller]
pub(super) fn assert_none(findings: impl IntoIterator<Item = String>) {
    let findings: Vec<String> = findings.into_iter().collect();
    assert!(findings.is_empty(), "{} findings:\n  {}", findings.len(), findings.join("\n  "));
}

fn collect(folder: &Path, files: &mut Vec<TextFile>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let foreign = name.starts_with('.') && !OWN_HIDDEN.contains(&name.as_str());
        let built = ["target", "dist", "__pycache__", "node_modules"].contains(&name.as_str());
        if foreign || built || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else if let Ok(text) = fs::read_to_string(&path) {
            files.push(TextFile { path: relative(&path), text });
        }
    }
}

pub(super) fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}
