"""Tests of the scripts that run emulators: what they leave, print and listen on.

Run by `infra/checks/run`.
"""

import importlib.util
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from contextlib import redirect_stderr
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "infra/deploy"
SECONDS_MAX = 30


def module(name):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


ministack_template = module("ministack_template")


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def as_at_a_terminal():
    """A program that was started in the background ignores Ctrl-C, one by `nohup` a hang-up, and so do its children."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


class Processes(unittest.TestCase):
    """What infra/deploy/processes does at the end of a script, whose body is given."""

    def run_script(self, body, signal_at_ready=None):
        """The lines that the script printed; they begin with its folder and the id of its process."""
        text = f"set -euo pipefail\nmax_attempts=100\n. {SCRIPTS}/processes\nsleep 600 &\nprocesses+=($!)\necho $work $!\n{body}\n"
        script = subprocess.Popen(["bash", "-c", text], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  start_new_session=True, preexec_fn=as_at_a_terminal)
        if signal_at_ready is None:
            return script.communicate(timeout=SECONDS_MAX)[0].splitlines()
        first = []
        while not first or first[-1] != "ready\n":
            first.append(script.stdout.readline())
        # As the terminal does for Ctrl-C: to the script and all that it runs.
        os.killpg(script.pid, signal_at_ready)
        return [line.strip() for line in first] + script.communicate(timeout=SECONDS_MAX)[0].splitlines()

    def require_nothing_left(self, lines):
        folder, process = lines[0].split()
        self.assertFalse(Path(folder).exists(), "the folder is removed")
        with self.assertRaises(ProcessLookupError, msg="the process has ended"):
            os.kill(int(process), 0)

    def test_nothing_is_left_after_success_and_failure(self):
        self.require_nothing_left(self.run_script("true"))
        self.require_nothing_left(self.run_script("false"))

    def test_nothing_is_left_after_a_signal(self):
        for number in SIGNALS:
            self.require_nothing_left(self.run_script("sh -c 'echo ready; exec sleep 600'", number))

    def test_nothing_is_left_where_the_processes_have_ended(self):
        self.require_nothing_left(self.run_script('kill "${processes[0]}"; wait "${processes[0]}" || true'))

    def test_hooks_run_around_the_stop(self):
        body = 'p=$!; before_stop() { kill -0 $p && echo before; }; after_stop() { kill -0 $p 2>/dev/null || echo after; }'
        self.assertEqual(self.run_script(body)[1:], ["before", "after"])

    def test_a_process_that_ends_is_not_waited_for(self):
        lines = self.run_script('kill "${processes[0]}"; echo broken >"$work/x.log"; max_attempts=100000; await false')
        self.assertIn("not ready: false", lines)
        self.assertIn("broken", lines)


class Secrets(unittest.TestCase):
    def test_no_secret_of_the_ready_file_is_printed(self):
        ready = {"ws": "ws://w", "http": "http://h", "dynamodb": "http://d", "accessKeyId": "LOCALsecret",
                 "secrets": {"TokenSecret": "hidden"}, "app": {"key": "hidden"},
                 "functions": {"Session": {"environment": {"TOKEN_SECRET": "hidden"}}}}
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(ready, file)
            file.flush()
            command = f"max_attempts=1; . {SCRIPTS}/processes; print_addresses {file.name}"
            printed = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout
            for shown in ("ws://w", "http://h", "http://d", file.name):
                self.assertIn(shown, printed)
        self.assertNotRegex(printed, "hidden|LOCALsecret")

    def test_no_script_prints_a_file_with_secrets(self):
        for path in SCRIPTS.iterdir():
            if path.is_file():
                self.assertNotRegex(path.read_text(), r"(cat|tail|head) [^|\n]*(ready\.json|environment\")", path.name)


class Loopback(unittest.TestCase):
    @unittest.skipUnless(sys.platform == "linux" and shutil.which("cc"), "skipped: cc")
    def test_a_server_of_every_interface_is_kept_on_loopback(self):
        server = "import socket; s = socket.socket(); s.bind(('0.0.0.0', 0)); print(s.getsockname()[0])"
        with tempfile.TemporaryDirectory() as folder:
            library = f"{folder}/loopback.so"
            subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, SCRIPTS / "loopback.c"], check=True)
            bound = subprocess.run([sys.executable, "-c", server], env=os.environ | {"LD_PRELOAD": library},
                                   capture_output=True, text=True, check=True).stdout
        self.assertEqual(bound.strip(), "127.0.0.1")

    def test_ministack_and_dynamodb_local_are_started_on_loopback(self):
        self.assertRegex((SCRIPTS / "ministack-server").read_text(), r"BIND_HOST=127\.0\.0\.1 IOT_MTLS_ENABLED=0 SFTP_ENABLED=0 .*")
        self.assertIn('LD_PRELOAD="$folder/loopback.so" java -Djava.net.preferIPv4Stack=true', (SCRIPTS / "dynamodb-local").read_text())

    def test_no_script_names_every_interface(self):
        for path in SCRIPTS.iterdir():
            if path.is_file() and path.suffix != ".c":
                self.assertNotRegex(path.read_text(), r"0\.0\.0\.0|\[::\]", path.name)


class MiniStack(unittest.TestCase):
    def test_every_skipped_test_exists_and_has_a_reason(self):
        script = (SCRIPTS / "ministack").read_text()
        skipped = re.findall(r'^    "(\w+) +\w.*"$', script, re.MULTILINE)
        self.assertGreater(len(skipped), 3)
        tests = "".join(path.read_text() for path in (ROOT / "tests/system").rglob("*.rs"))
        for name in skipped:
            self.assertIn(f"fn {name}()", tests)

    def adapted(self, resources, outputs):
        """The template with these parts, adapted, and the changes that were printed."""
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump({"Resources": resources, "Outputs": outputs}, file)
            file.flush()
            with redirect_stderr(io.StringIO()) as printed:
                adapted = ministack_template.adapted(file.name, 4566)
        return adapted, printed.getvalue()

    def test_addresses_lead_to_ministack(self):
        ws = {"Type": "AWS::Serverless::WebSocketApi", "Properties": {"Auth": {"AuthType": "CUSTOM"}}}
        address = "wss://${Ws}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${StageName}"
        adapted, printed = self.adapted({"Ws": ws}, {"WebSocketAddress": {"Value": {"Fn::Sub": address}}})
        value = adapted["Outputs"]["WebSocketAddress"]["Value"]["Fn::Sub"]
        self.assertEqual(value, "ws://127.0.0.1:4566/_aws/execute-api/${Ws}/${StageName}")
        self.assertEqual(adapted["Resources"]["Ws"]["Properties"]["Auth"]["IdentitySource"], ["route.request.header.Host"])
        self.assertIn("Ws: identity source", printed)
        self.assertIn("Outputs.WebSocketAddress", printed)

    def test_what_ministack_lacks_is_removed_and_printed(self):
        resources = {"Answer": {"Type": "AWS::ApiGatewayV2::RouteResponse"},
                     "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": []}},
                     "Kept": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "Errors"}}}
        adapted, printed = self.adapted(resources, {})
        self.assertEqual(list(adapted["Resources"]), ["Kept"])
        self.assertIn("Answer: removed", printed)
        self.assertIn("Alarm: removed", printed)


if __name__ == "__main__":
    unittest.main()
