"""Proves that the parameters which `make deploy` passes reach SAM whole.

Run by `infra/checks/run`, which provides SAM's own reading of parameters.
"""

import importlib.machinery
import importlib.util
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from samcli.cli.types import CfnParameterOverridesType

ROOT = Path(__file__).parents[2]
KEYS = '{"keys":[{"kty":"RSA","kid":"a b","n":"x-_y","e":"AQAB"}]}'


def script(name):
    """A script of infra/deploy as a module."""
    loader = importlib.machinery.SourceFileLoader(Path(name).stem, str(ROOT / "infra/deploy" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


parameters = script("parameters")


class Parameters(unittest.TestCase):
    def read_by_sam(self, *overrides):
        command = [sys.executable, ROOT / "infra/deploy/parameters", "prod", *overrides]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(printed)
            file.flush()
            return CfnParameterOverridesType().convert([f"file://{file.name}"], None, None)

    def test_those_of_the_file_and_those_added_reach_sam(self):
        found = self.read_by_sam("Architecture=x86_64", "LogRetentionDays=90")
        self.assertEqual(found["DeletionProtection"], "true")
        self.assertEqual((found["Architecture"], found["LogRetentionDays"]), ("x86_64", "90"))

    def test_a_document_with_quotes_and_spaces_reaches_sam_whole(self):
        self.assertEqual(self.read_by_sam(f"TokenKeys={KEYS}")["TokenKeys"], KEYS)

    def test_a_document_can_stand_in_a_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(KEYS.replace(",", ",\n  "))
            file.flush()
            self.assertEqual(self.read_by_sam(f"TokenKeys=@{file.name}")["TokenKeys"], KEYS)

    def test_what_sam_would_alter_is_refused(self):
        for wrong in ['TokenKeys={"kid":"a\\"b"}', "TokenKeys"]:
            with self.assertRaises(SystemExit):
                parameters.parameters({"e": {"deploy": {"parameters": {"parameter_overrides": []}}}}, "e", [wrong])


if __name__ == "__main__":
    unittest.main()
