"""Checks what a build needs, or a build that exists, without building."""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

from settings import ROOT

TARGETS = {"arm64": "aarch64-unknown-linux-gnu", "x86_64": "x86_64-unknown-linux-gnu"}
# The processor in the header of an ELF file, at offset 18.
MACHINES = {183: "arm64", 62: "x86_64"}


def output_of(*command):
    """(exit status, output) of a command in the project; rustup installs nothing meanwhile."""
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60,
                            env=os.environ | {"RUSTUP_AUTO_INSTALL": "0"})
    return result.returncode, (result.stdout or result.stderr).strip()


def rust_faults(architecture):
    """What is missing to compile for the processor, a sentence each."""
    channel = tomllib.loads((ROOT / "rust-toolchain.toml").read_text(encoding="utf-8"))["toolchain"]["channel"]
    faults = []
    if not shutil.which("cc"):
        faults.append("there is no C compiler, which Rust links with: apt-get install gcc libc6-dev, or xcode-select --install on macOS")
    if not shutil.which("cargo") or not shutil.which("rustc"):
        return [*faults, f"Rust is not installed: install rustup (https://rustup.rs), which fetches Rust {channel}"]
    target = TARGETS.get(architecture)
    status, sysroot = output_of("rustc", "--print", "sysroot")
    if status:
        return [*faults, f"Rust {channel} is not installed: rustup toolchain install {channel} --target {target or TARGETS['arm64']}"]
    if target and not (Path(sysroot) / "lib/rustlib" / target / "lib").is_dir():
        faults.append(f"Rust cannot compile for {architecture}: rustup target add {target}, or use the other ARCHITECTURE")
    return faults


def machine_of(bootstrap):
    """The processor that an executable is for, or None for what is no Linux executable."""
    with open(bootstrap, "rb") as file:
        header = file.read(20)
    return MACHINES.get(int.from_bytes(header[18:20], "little")) if header[:4] == b"\x7fELF" else None


def build_faults(folder, architecture):
    """Why the build in `folder` cannot be deployed, a sentence each."""
    if not (folder / "template.yaml").is_file():
        return [f"BUILD={folder} has no template.yaml: name a folder that sam build has filled (make sam-build fills .aws-sam/build)"]
    machines = {machine_of(bootstrap) for bootstrap in folder.glob("*/bootstrap")}
    if not machines:
        return [f"BUILD={folder} has no functions: build it again"]
    if architecture and machines != {architecture}:
        found = " and ".join(sorted(machine or "no executable" for machine in machines))
        return [f"BUILD={folder} is for {found}, not for {architecture}: set ARCHITECTURE, or build it again"]
    return []
