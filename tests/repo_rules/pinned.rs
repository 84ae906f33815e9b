//! What is installed or fetched is pinned: packages by hash, actions by commit, tools by a lock file.

use super::Findings;
use super::repository::{TextFile, assert_none, files_with, read, text_files};

/// Characters of a commit's hash.
const COMMIT_LENGTH: usize = 40;

/// Packages of a Python list without an exact version and a hash.
fn packages_without_hash(path: &str, text: &str) -> Findings {
    let joined = text.replace("\\\n", " ");
    let packages = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let unpinned = packages.filter(|line| !(line.contains("==") && line.contains("--hash=sha256:")));
    unpinned.map(|line| format!("{path}: {line}")).collect()
}

/// Actions of a workflow that are named by something other than a commit.
fn actions_without_commit(path: &str, text: &str) -> Findings {
    let actions = text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: "));
    let floating = actions.filter(|action| {
        let commit = action.split_once('@').map(|(_, commit)| commit.split(' ').next().unwrap_or_default());
        !commit.is_some_and(|commit| {
            commit.len() == COMMIT_LENGTH && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    });
    floating.map(|action| format!("{path}: {action}")).collect()
}

/// Installations in a script that a lock file does not bind.
fn unlocked_installations(path: &str, text: &str) -> Findings {
    let joined = text.replace("\\\n", " ");
    let bound = |line: &str| {
        let needs = [("pip", "install", "--require-hashes"), ("cargo", "install", "--locked")];
        let words = line.split(|c: char| c.is_whitespace() || "\"'()/".contains(c));
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        let runs = |program: &str, verb: &str| words.windows(2).any(|pair| pair == [program, verb]);
        needs.iter().all(|(program, verb, lock)| !runs(program, verb) || words.contains(lock))
            && !runs("npm", "install")
            && !words.contains(&"npx")
            && !((runs("go", "install") || runs("go", "run")) && line.contains('@'))
    };
    let lines = joined.lines().filter(|line| !line.trim_start().starts_with('#') && !bound(line));
    lines.map(|line| format!("{path}: {}", line.trim())).collect()
}

fn is_script(file: &TextFile) -> bool {
    let in_tools =
        file.path.starts_with("infra/") || file.path.starts_with(".ci/") || file.path == "Makefile";
    in_tools && (file.text.starts_with("#!") || file.path == "Makefile")
}

#[test]
fn every_python_package_has_a_hash() {
    assert_eq!(packages_without_hash("a", "# x\nb==1 \\\n    --hash=sha256:0\nc==2\nd>=1\n").len(), 2);
    let inputs = files_with("in");
    assert!(inputs.len() > 4, "the lists of packages were not found");
    let lists = inputs.iter().map(|input| input.path.replace(".in", ".txt"));
    assert_none(lists.flat_map(|list| packages_without_hash(&list, &read(&list))));
}

#[test]
fn every_list_has_the_versions_of_its_input() {
    let missing = files_with("in").into_iter().flat_map(|input| {
        let list = read(&input.path.replace(".in", ".txt"));
        let wanted = input.text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned);
        let missing: Vec<String> = wanted
            .filter(|wanted| {
                let (name, version) = wanted.split_once("==").unwrap_or((wanted, ""));
                let name = name.split('[').next().unwrap_or_default();
                !list.contains(&format!("{name}=={version} "))
            })
            .collect();
        missing.into_iter().map(move |wanted| format!("{}: run infra/checks/lock for {wanted}", input.path))
    });
    assert_none(missing);
}

#[test]
fn every_action_is_named_by_its_commit() {
    let commit = "0".repeat(COMMIT_LENGTH);
    let sample = format!("- uses: a/b@v4\n  uses: a/b@{commit} # v4.1.0\n");
    assert_eq!(actions_without_commit("a", &sample), ["a: a/b@v4"]);
    let workflows = files_with("yml").into_iter().filter(|file| file.path.starts_with(".github/"));
    assert_none(workflows.flat_map(|file| actions_without_commit(&file.path, &file.text)));
}

#[test]
fn every_installation_is_bound_by_a_lock_file() {
    assert_eq!(
        unlocked_installations("a", "pip install \\\n  x\nnpm ci\ncargo install --locked y\n").len(),
        1
    );
    let scripts: Vec<TextFile> = text_files().into_iter().filter(is_script).collect();
    assert!(scripts.len() > 10, "the scripts were not found");
    assert_none(scripts.iter().flat_map(|file| unlocked_installations(&file.path, &file.text)));
}
