"""Tests of the scripts that build: local builds, and the limit of a build's size."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).parents[2]


class LocalBuild(unittest.TestCase):
    """infra/deploy/local-build in a project of empty files, with a sam-build that only records its calls."""

    FILES = ("template.yaml", "Cargo.toml", "Cargo.lock", ".cargo/config.toml", "functions/ingest/src/main.rs",
             "infra/dashboard/page.html", "infra/dashboard/style.css", "infra/dashboard/src/app.js",
             "infra/dashboard/vendor/plot.js", "infra/deploy/build.txt")
    SAM_BUILD = '#!/bin/sh\necho built >>log\nmkdir -p "$2" && touch "$2/template.yaml"\n[ ! -e broken ]\n'

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for name in self.FILES:
            self.at(name, 1)
        self.at("infra/deploy/sam-build", 1, self.SAM_BUILD).chmod(0o755)
        shutil.copy(ROOT / "infra/deploy/local-build", self.root / "infra/deploy")

    def at(self, name, changed, text=""):
        """Writes the file `name`, last changed `changed` seconds after 1970."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (changed, changed))
        return path

    def builds(self):
        """Runs local-build and returns the number of builds so far."""
        subprocess.run([self.root / "infra/deploy/local-build", "out/local"], capture_output=True)
        return (self.root / "log").read_text().count("built")

    def test_a_build_is_reused_until_a_source_changes(self):
        self.assertEqual([self.builds(), self.builds()], [1, 1])
        for count, name in enumerate(self.FILES, 2):
            self.at(name, 4_000_000_000)
            self.assertEqual(self.builds(), count, f"{name} is a source of the build")
            self.at(name, 1)

    def test_a_failed_build_is_not_reused(self):
        (self.root / "broken").touch()
        self.assertEqual(self.builds(), 1)
        (self.root / "broken").unlink()
        self.assertEqual([self.builds(), self.builds()], [2, 2])


class SamBuild(unittest.TestCase):
    """infra/deploy/sam-build with a `sam` that writes one bootstrap of random bytes, which do not compress."""

    SAM = '#!/bin/sh\nmkdir -p out/Session && head -c "$SIZE" /dev/urandom >out/Session/bootstrap\n'

    def build(self, size, **variables):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "infra/deploy").mkdir(parents=True)
            shutil.copy(ROOT / "infra/deploy/sam-build", root / "infra/deploy")
            (root / ".venv/sam/bin").mkdir(parents=True)
            (root / ".venv/sam/bin/sam").write_text(self.SAM)
            (root / ".venv/sam/bin/sam").chmod(0o755)
            environment = {**os.environ, "SIZE": str(size), "CI": "", **variables}
            return subprocess.run([root / "infra/deploy/sam-build", "arm64", "out"], env=environment, capture_output=True, text=True)

    def test_a_large_bootstrap_is_a_warning_and_in_ci_a_failure(self):
        result = self.build(5_600_000)
        self.assertEqual(result.returncode, 0)
        self.assertIn("warning: Session: more than 5.5 MB zipped", result.stderr)
        result = self.build(5_600_000, CI="true")
        self.assertEqual(result.returncode, 1)
        self.assertIn("error: Session", result.stderr)

    def test_a_small_bootstrap_is_neither(self):
        result = self.build(1000, CI="true")
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_the_checks_of_a_merge_set_ci(self):
        self.assertIn("export CI=true", (ROOT / ".ci/run").read_text())


class Venv(unittest.TestCase):
    def test_an_old_python_is_one_sentence(self):
        with tempfile.TemporaryDirectory() as folder:
            python = Path(folder) / "python3"
            python.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.6" && exit 0\nexit 1\n')
            python.chmod(0o755)
            environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
            command = [ROOT / "infra/checks/venv", "none", "infra/checks/sam.txt"]
            result = subprocess.run(command, env=environment, capture_output=True, text=True)
        self.assertEqual(result.returncode, 1)
        self.assertIn("python3 is Python 3.9.6, and the tools need Python 3.11 or newer", result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 1)


if __name__ == "__main__":
    unittest.main()
