//! Rules about dependencies between crates, and where versions and lints are set.
//! ARCHITECTURE.md, "Invariants", has the same arrows: function -> aws -> domain, none into the gateway or the tests.

use super::repository::{Dependency, Package, packages, read};
use super::{Findings, assert_none};

/// The crates that the domain may depend on.
const DOMAIN_MAY_USE: [&str; 7] =
    ["jiff", "lru", "serde", "serde_json", "sha2", "sketches-ddsketch", "thiserror"];
/// For tests only: it depends on the gateway for its engine.
const TEST_SUPPORT: &str = "nsl-test-support";
/// What the benchmarks may depend on; the load generator in the same crate may not.
const MEASURED: [&str; 5] = ["nsl-domain", "nsl-aws", "nsl-rollup", "nsl-history", TEST_SUPPORT];
const CORE: [&str; 3] = ["nsl-domain", "nsl-auth", "nsl-aws"];
/// This crate allows what tests need, so it sets its own lints.
const OWN_LINTS: [&str; 1] = ["tests"];

/// The project's crates that the crate in this folder may depend on.
fn may_name(folder: &str) -> &'static [&'static str] {
    match folder {
        "functions/shared/domain" | "infra/local/launcher" | "infra/terminal" | "tests" => &[],
        // Nothing of the service: how text is printed.
        "infra/local/gateway" => &["nsl-terminal"],
        "tests/support" => &["nsl-domain", "nsl-aws", "nsl-gateway"],
        "infra/client" => &["nsl-domain", "nsl-terminal"],
        "infra/bench" => &["nsl-client", "nsl-domain"],
        "infra/cli" => &["nsl-client", "nsl-domain", "nsl-auth", "nsl-aws", "nsl-terminal"],
        "functions/shared/auth" => &CORE[..1],
        "functions/shared/aws" => &CORE[..2],
        _ => &CORE,
    }
}

fn forbidden_dependencies(folder: &str, dependencies: &[Dependency]) -> Findings {
    let forbidden = dependencies.iter().filter(|dependency| !is_allowed(folder, dependency));
    forbidden.map(|dependency| format!("{folder} depends on {}", dependency.name)).collect()
}

fn is_allowed(folder: &str, dependency: &Dependency) -> bool {
    let name = dependency.name.as_str();
    let is_shipped = dependency.kind.is_none();
    if dependency.path.is_some() {
        let of_tests = name == TEST_SUPPORT && (folder.starts_with("functions/") || folder == "infra/cli");
        let of_benches = folder == "infra/bench" && MEASURED.contains(&name);
        return may_name(folder).contains(&name) || (!is_shipped && (of_tests || of_benches));
    }
    let is_sdk = ["aws-sdk-", "aws-config", "aws-credential-types", "aws-sigv4", "aws-smithy-"]
        .iter()
        .any(|sdk| name.starts_with(sdk));
    match folder {
        "functions/shared/aws" => true,
        "functions/shared/domain" if is_shipped => DOMAIN_MAY_USE.contains(&name),
        _ => !is_sdk,
    }
}

/// Dependencies of a manifest that do not take their version from the workspace.
fn own_versions(path: &str, manifest: &str) -> Findings {
    let sections = manifest.split("\n[").filter_map(|section| section.split_once("dependencies]\n"));
    let lines = sections.flat_map(|(_, lines)| lines.lines()).map(str::trim);
    let own = lines
        .filter(|line| line.contains('=') && !line.starts_with('#') && !line.contains("workspace = true"));
    own.map(|line| format!("{path}: {line}")).collect()
}

fn has_workspace_lints(manifest: &str) -> bool {
    manifest.replace(' ', "").contains("[lints]\nworkspace=true")
}

fn manifest_of(package: &Package) -> (String, String) {
    let path = format!("{}/Cargo.toml", package.folder());
    let text = read(&path);
    (path, text)
}

#[test]
fn arrows_between_the_crates_go_one_way() {
    for (folder, name, is_ours) in [
        ("functions/session", "nsl-ingest", true),
        ("infra/local/gateway", "nsl-domain", true),
        ("tests", "nsl-domain", true),
        // Only tests and benches may depend on these.
        ("functions/ingest", TEST_SUPPORT, true),
        ("infra/bench", "nsl-rollup", true),
        ("functions/shared/domain", "tokio", false),
        ("functions/ingest", "aws-sdk-dynamodb", false),
    ] {
        let path = is_ours.then(|| "functions/any".into());
        let sample = Dependency { name: name.to_owned(), kind: None, path };
        assert_eq!(forbidden_dependencies(folder, &[sample]).len(), 1, "{folder}: {name}");
    }
    let packages = packages();
    assert!(packages.iter().any(|package| package.folder() == "functions/shared/domain"));
    assert_none(
        packages.iter().flat_map(|package| forbidden_dependencies(&package.folder(), &package.dependencies)),
    );
}

#[test]
fn every_version_is_set_at_the_root() {
    let sample = "[package]\nversion = \"1\"\n[dev-dependencies]\nserde = \"1\"\nsha2.workspace = true\n";
    assert_eq!(own_versions("a", sample), ["a: serde = \"1\""]);
    let manifests = packages().iter().map(manifest_of).collect::<Vec<_>>();
    assert_none(manifests.iter().flat_map(|(path, text)| own_versions(path, text)));
}

#[test]
fn every_crate_inherits_the_workspace_lints() {
    assert!(!has_workspace_lints("[package]\nname = \"a\"\n"));
    let packages = packages();
    let bound = packages.iter().filter(|package| !OWN_LINTS.contains(&package.folder().as_str()));
    let others = bound.map(manifest_of).filter(|(_, text)| !has_workspace_lints(text));
    assert_none(others.map(|(path, _)| format!("{path} lacks [lints] workspace = true")));
}
