"""Runs `nsl-measure` and renders its results: starts, processor time and memory of each function."""

import json
import subprocess

# Prefix of cases that are shown in their own table.
FAN_OUT = "fan-out"
# Longest run of nsl-measure, in seconds.
LIMIT = 600


def measure(binaries):
    """Results by case and transport; empty if nsl-measure failed, which prints the error to stderr."""
    command = [binaries / "nsl-measure", "--functions", binaries]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=LIMIT)
    return json.loads(done.stdout) if done.returncode == 0 else {}


def render(figures):
    """The results as Markdown."""
    return [*starts(figures), "", *events(figures), "", *fan_outs(figures)]


def starts(figures):
    yield "| start, ms | clients built | first poll | first event | warm event | over TLS: clients built | first poll | first event | warm event |"
    yield "|---|" + "--:|" * 8
    for name, by_transport in figures.items():
        if "start" not in by_transport["plain"]:
            continue
        keys = ("toClientsBuiltMs", "toFirstPollMs", "firstEventMs", "warmEventMs")
        cells = [f"{by_transport[how]['start'][key]:.1f}" for how in ("plain", "tls") for key in keys]
        yield "| " + " | ".join([name, *cells]) + " |"


def events(figures):
    yield "| processor ms an event | events | user | system | both | over TLS: user | system | both | MB at most |"
    yield "|---|" + "--:|" * 8
    for name, by_transport in figures.items():
        if name.startswith(FAN_OUT):
            continue
        plain, tls = (by_transport[how]["warm"] for how in ("plain", "tls"))
        cells = [f"{part[key]:.3f}" for part in (plain, tls) for key in ("userMs", "systemMs", "processorMs")]
        yield "| " + " | ".join([name, str(plain["events"]), *cells, f"{peak(by_transport):.1f}"]) + " |"


def fan_outs(figures):
    yield "| `ingest`, one report | processor ms | ms to the end | slowest | over TLS: processor ms | ms to the end | slowest | MB at most |"
    yield "|---|" + "--:|" * 7
    for name, by_transport in figures.items():
        if not name.startswith(FAN_OUT):
            continue
        parts = (by_transport[how]["warm"] for how in ("plain", "tls"))
        cells = [f"{part[key]:.1f}" for part in parts for key in ("processorMs", "eventMs", "slowestEventMs")]
        yield "| " + " | ".join([name, *cells, f"{peak(by_transport):.1f}"]) + " |"


def peak(by_transport):
    return max(part["warm"]["peakMemoryMb"] for part in by_transport.values())
