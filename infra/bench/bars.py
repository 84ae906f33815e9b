"""The project's performance targets, compared with measurements."""

FUNCTIONS = ["authorize", "session", "ingest", "rollup", "history"]

# Highest start time as a multiple of the hello-world's, and first event as a multiple of a warm one.
BUILT_TIMES = 4
FIRST_TIMES = 2
FIRST_POLL_MS = 60
REPORT_MS = 0.7
MEMORY_MB = 20
FAN_OUT_P99_MS = 300
IDLE_KB = 30
CARRIED = 1000
NEVER_UNDER = 600

HEADING = "| what | bar | measured | |"
MET = {True: "met", False: "missed"}


def compare(outcomes, functions, idle):
    """Lines of a table: every target that was measured. `functions` is None if they were not."""
    rows = []
    failed = [name for name in ["hello", *FUNCTIONS] if name not in (functions or {})]
    if functions and not failed:
        rows += starts(functions) + ingest(functions) + memory(functions)
    elif functions is not None:
        rows.append(("starts, processor time and memory of the functions", "", f"failed: {', '.join(failed)}", False))
    by_name = {name: figures for name, _, figures, _ in outcomes}
    rows += fan_out(by_name) + connection(idle) + throughput(by_name)
    yield HEADING
    yield "|---|---|---|---|"
    for what, bar, measured, is_met in rows:
        yield f"| {what} | {bar} | {measured} | {MET[is_met]} |"


def starts(functions):
    start = {name: functions[name]["tls"]["start"] for name in ["hello", *FUNCTIONS]}
    hello = start["hello"]["toFirstPollMs"]
    built = {name: start[name]["toClientsBuiltMs"] / hello for name in FUNCTIONS}
    polled = {name: start[name]["toFirstPollMs"] for name in FUNCTIONS}
    first = {name: start[name]["firstEventMs"] / start[name]["warmEventMs"] for name in FUNCTIONS}
    return [
        (
            "process start to clients built, over TLS",
            f"at most {BUILT_TIMES} times the hello-world's {hello:.1f} ms",
            worst(built, "times"),
            max(built.values()) <= BUILT_TIMES,
        ),
        (
            "process start to first poll, warm-up over TLS included",
            f"at most {FIRST_POLL_MS} ms",
            worst(polled, "ms"),
            max(polled.values()) <= FIRST_POLL_MS,
        ),
        (
            "first invocation after that, over TLS",
            f"at most {FIRST_TIMES} times a warm one",
            worst(first, "times"),
            max(first.values()) <= FIRST_TIMES,
        ),
    ]


def ingest(functions):
    plain, tls = (functions["ingest"][how]["warm"]["processorMs"] for how in ("plain", "tls"))
    what = "processor time of a report in `ingest`, one subscriber"
    return [(what, f"at most {REPORT_MS} ms", f"{plain:.2f} ms; over TLS {tls:.2f} ms", plain <= REPORT_MS)]


def memory(functions):
    most = {name: max(part["warm"]["peakMemoryMb"] for part in functions[name].values()) for name in FUNCTIONS}
    return [("resident memory of a function", f"at most {MEMORY_MB} MB", worst(most, "MB"), max(most.values()) <= MEMORY_MB)]


def fan_out(by_name):
    figures = by_name.get("fan-out to 1000")
    if not figures:
        return []
    p99 = figures["stages"][-1]["toLastSubscriber"]["p99Ms"]
    measured = "nothing" if p99 is None else f"p99 {p99:.0f} ms"
    what = "a report to the last of 1,000 subscribers, through the gateway"
    return [(what, f"p99 at most {FAN_OUT_P99_MS} ms", measured, p99 is not None and p99 <= FAN_OUT_P99_MS)]


def connection(idle):
    if not idle:
        return []
    size = idle["kilobytes"]
    return [("gateway memory of an idle connection", f"at most {IDLE_KB} KB", f"{size:.1f} KB", size <= IDLE_KB)]


def throughput(by_name):
    pairs = [figures for name, figures in by_name.items() if name.startswith("ten pairs, as answered")]
    stages = [stage for figures in pairs for stage in figures["stages"]]
    if not stages:
        return []
    carried = min(stage["carriedPerSecond"] for stage in stages)
    slowest = min(stage["slowestSecond"] or 0 for stage in stages)
    broken = sum(stage["lost"] + stage["doubled"] for stage in stages)
    measured = f"{carried:.0f}, {slowest} in the slowest second, {broken} lost or doubled"
    is_met = carried >= CARRIED and slowest >= NEVER_UNDER and broken == 0
    bar = f"{CARRIED:,}, never under {NEVER_UNDER}, nothing lost, nothing doubled"
    return [("reports a second through the gateway, ten apps with one subscriber each", bar, measured, is_met)]


def worst(figures, unit):
    """The figures of all functions, largest first."""
    ordered = sorted(figures.items(), key=lambda pair: -pair[1])
    return f"{unit}: " + ", ".join(f"{name} {figure:.1f}" for name, figure in ordered)


def last_table(results):
    """The latest measurement of every target."""
    rows, section, is_bars = {}, "", False
    for line in results.splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        if line == HEADING:
            is_bars = True
        elif not line.startswith("|"):
            is_bars = False
        elif is_bars and not line.startswith("|---"):
            rows[line.split("|")[1].strip()] = (line, section)
    sections = sorted({section for _, section in rows.values()})
    table = [HEADING, "|---|---|---|---|", *(line for line, _ in rows.values())]
    return "\n".join([*table, "", f"Measured on {', '.join(sections)}."])
