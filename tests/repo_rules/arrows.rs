//! Rules about who may depend on whom, and where versions and lints are stated.
//! ARCHITECTURE.md draws the same arrows: function -> aws -> domain, and none into the gateway or the tests.

use super::repository::{Dependency, Package, packages, read};
use super::{Findings, assert_none};

/// What the core may use besides the standard library.
const DOMAIN_MAY_USE: [&str; 7] =
    ["jiff", "lru", "serde", "serde_json", "sha2", "sketches-ddsketch", "thiserror"];
/// What the functions' tests stand on. It borrows the gateway's engine, and no function ships it.
const TEST_BED: &str = "nsl-test-support";
/// What the benchmarks measure, and what they stand on. The load generator beside them knows none of it.
const MEASURED: [&str; 5] = ["nsl-domain", "nsl-aws", "nsl-rollup", "nsl-history", TEST_BED];
const CORE: [&str; 3] = ["nsl-domain", "nsl-auth", "nsl-aws"];
/// The crate of tests allows what a test needs, so it states its lints itself.
const OWN_LINTS: [&str; 1] = ["tests"];

/// The project's own crates that the crate in this folder may name.
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

fn wrong_arrows(folder: &str, dependencies: &[Dependency]) -> Findings {
    let own = dependencies.iter().filter(|dependency| dependency.path.is_some());
    let of_tests = |dependency: &Dependency| {
        dependency.name == TEST_BED
            && dependency.kind.as_deref() == Some("dev")
            && folder.starts_with("functions/")
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

fn impure(dependencies: &[Dependency]) -> Findings {
    let shipped = dependencies.iter().filter(|dependency| dependency.kind.is_none());
    shipped
        .filter(|dependency| !DOMAIN_MAY_USE.contains(&dependency.name.as_str()))
        .map(|dependency| format!("the domain depends on {}", dependency.name))
        .collect()
}

fn names_the_sdk(folder: &str, dependencies: &[Dependency]) -> Findings {
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
    assert_eq!(wrong_arrows("functions/session", &[ingest]).len(), 1);
    let domain = [dependency("nsl-domain", Some("functions/shared/domain"))];
    assert_eq!(wrong_arrows("infra/local/gateway", &domain).len(), 1);
    assert_eq!(wrong_arrows("tests", &domain).len(), 1);
    let shipped_test_bed = [dependency(TEST_BED, Some("tests/support"))];
    assert_eq!(wrong_arrows("functions/ingest", &shipped_test_bed).len(), 1);
    let measured_by_the_load = [dependency("nsl-rollup", Some("functions/rollup"))];
    assert_eq!(wrong_arrows("infra/bench", &measured_by_the_load).len(), 1);
    assert_none(packages().iter().flat_map(|package| wrong_arrows(&package.folder(), &package.dependencies)));
}

#[test]
fn the_domain_uses_nothing_but_its_allowed_crates() {
    assert_eq!(impure(&[dependency("tokio", None)]).len(), 1);
    let packages = packages();
    let domain = packages.iter().find(|package| package.name == "nsl-domain").expect("the domain exists");
    assert_none(impure(&domain.dependencies));
}

#[test]
fn only_the_skin_names_the_sdk() {
    assert_eq!(names_the_sdk("functions/ingest", &[dependency("aws-sdk-dynamodb", None)]).len(), 1);
    assert_none(
        packages().iter().flat_map(|package| names_the_sdk(&package.folder(), &package.dependencies)),
    );
}

#[test]
fn every_version_is_stated_at_the_root() {
    let sample = "[package]\nversion = \"1\"\n[dev-dependencies]\nserde = \"1\"\nsha2.workspace = true\n";
    assert_eq!(own_versions("a", sample), ["a: serde = \"1\""]);
    let manifests = packages().iter().map(manifest_of).collect::<Vec<_>>();
    assert_none(manifests.iter().flat_map(|(path, text)| own_versions(path, text)));
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    assert!(!has_workspace_lints("[package]\nname = \"a\"\n"));
    let packages = packages();
    let bound = packages.iter().filter(|package| !OWN_LINTS.contains(&package.folder().as_str()));
    let lax = bound.map(manifest_of).filter(|(_, text)| !has_workspace_lints(text));
    assert_none(lax.map(|(path, _)| format!("{path} lacks [lints] workspace = true")));
}
