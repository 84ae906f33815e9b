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
        "functions/shared/domain" | "infra/local/gateway" | "infra/local/launcher" | "tests" => &[],
        "tests/support" => &["nsl-domain", "nsl-aws", "nsl-gateway"],
        "infra/client" => &CORE[..1],
        "infra/bench" => &["nsl-client", "nsl-domain"],
        "infra/cli" => &["nsl-client", "nsl-domain", "nsl-auth", "nsl-aws"],
        "functions/shared/auth" => &CORE[..1],
        "functions/shared/aws" => &CORE[..2],
        _ => &CORE,
    }
}

fn forbidden_dependencies(folder: &str, dependencies: &[Dependency]) -> Findings {
    let own = dependencies.iter().filter(|dependency| dependency.path.is_some());
    let of_tests = |dependency: &Dependency| {
        dependency.name == TEST_SUPPORT
            && dependency.kind.as_deref() == Some("dev")
            && (folder.starts_with("functions/") || folder == "infra/cli")
    };
    let of_benches = |dependency: &Dependency| {
        dependency.kind.as_deref() == Some("dev")
            && folder == "infra/bench"
            && MEASURED.contains(&dependency.name.as_str())
    };
    own.filter(|dependency| !may_name(folder).contains(&dependency.name.as_str()))
        .filter(|dependency| !of_tests(dependency) && !of_benches(dependency))
        .map(|dependency| format!("{folder} depends on {}", dependency.name))
        .collect()
}

fn forbidden_in_domain(dependencies: &[Dependency]) -> Findings {
    let shipped = dependencies.iter().filter(|dependency| dependency.kind.is_none());
    shipped
        .filter(|dependency| !DOMAIN_MAY_USE.contains(&dependency.name.as_str()))
        .map(|dependency| format!("the domain depends on {}", dependency.name))
        .collect()
}

fn sdk_dependencies(folder: &str, dependencies: &[Dependency]) -> Findings {
    let is_sdk =
        |name: &str| ["aws-sdk-", "aws-config", "aws-smithy-"].iter().any(|sdk| name.starts_with(sdk));
    let named =
        dependencies.iter().filter(|dependency| folder != "functions/shared/aws" && is_sdk(&dependency.name));
    named.map(|dependency| format!("{folder} depends on {}", dependency.name)).collect()
}

/// Dependencies of a manifest that do not take their version from the workspace.
fn own_versions(path: &str, manifest: &str) -> Findings {
    let mut section = "";
    let mut findings = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
            continue;
        }
        let is_dependency = section.ends_with("dependencies") && line.contains('=') && !line.starts_with('#');
        let inherits = line.contains(".workspace = true") || line.contains("workspace = true");
        if is_dependency && !inherits {
            findings.push(format!("{path}: {line}"));
        }
    }
    findings
}

fn has_workspace_lints(manifest: &str) -> bool {
    manifest.replace(' ', "").contains("[lints]\nworkspace=true")
}

fn dependency(name: &str, path: Option<&str>) -> Dependency {
    Dependency { name: name.to_owned(), kind: None, path: path.map(Into::into) }
}

fn manifest_of(package: &Package) -> (String, String) {
    let path = format!("{}/Cargo.toml", package.folder());
    let text = read(&path);
    (path, text)
}

#[test]
fn arrows_between_the_crates_go_one_way() {
    let ingest = dependency("nsl-ingest", Some("functions/ingest"));
    assert_eq!(forbidden_dependencies("functions/session", &[ingest]).len(), 1);
    let domain = [dependency("nsl-domain", Some("functions/shared/domain"))];
    assert_eq!(forbidden_dependencies("infra/local/gateway", &domain).len(), 1);
    assert_eq!(forbidden_dependencies("tests", &domain).len(), 1);
    let shipped_test_support = [dependency(TEST_SUPPORT, Some("tests/support"))];
    assert_eq!(forbidden_dependencies("functions/ingest", &shipped_test_support).len(), 1);
    let measured_by_the_load = [dependency("nsl-rollup", Some("functions/rollup"))];
    assert_eq!(forbidden_dependencies("infra/bench", &measured_by_the_load).len(), 1);
    assert_none(
        packages()
            .iter()
            .flat_map(|package| forbidden_dependencies(&package.folder(), &package.dependencies)),
    );
}

#[test]
fn domain_depends_only_on_allowed_crates() {
    assert_eq!(forbidden_in_domain(&[dependency("tokio", None)]).len(), 1);
    let packages = packages();
    let domain = packages.iter().find(|package| package.name == "nsl-domain").expect("the domain exists");
    assert_none(forbidden_in_domain(&domain.dependencies));
}

#[test]
fn only_nsl_aws_depends_on_the_sdk() {
    assert_eq!(sdk_dependencies("functions/ingest", &[dependency("aws-sdk-dynamodb", None)]).len(), 1);
    assert_none(
        packages().iter().flat_map(|package| sdk_dependencies(&package.folder(), &package.dependencies)),
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
