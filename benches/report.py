"""Turns measured cases into the Markdown of docs/benchmarks.md."""

import datetime
import os
import pathlib
import platform
import subprocess

from measure import median_seconds, peak_mib

ROOT = pathlib.Path(__file__).resolve().parent.parent

NOT_MEASURED = (
    ("T19, growth", "10 MB to 10 GB, 1 to 16 jobs: a series of its own"),
    ("T20", "`make demo` prints its own time"),
)


def verdict(bar, value):
    if value is None:
        return "not measured"
    if bar.hold is None:
        return ""
    reached = (lambda limit: value >= limit) if bar.higher_is_better else (lambda limit: value <= limit)
    if bar.aim is not None and reached(bar.aim):
        return "aim met"
    if reached(bar.hold):
        return "hold met" if bar.aim is not None else "met"
    factor = bar.hold / value if bar.higher_is_better else value / bar.hold
    return f"**gap: {factor:.1f} × the bar**"


def number(value, unit="×"):
    if value is None:
        return "–"
    if unit == "×":
        return f"{value:.2f}"
    return f"{value:.0f} {unit}" if abs(value) >= 10 else f"{value:.2g} {unit}"


def limits(bar):
    sign = "≥" if bar.higher_is_better else "≤"
    texts = [f"{sign} {limit:g}" if limit is not None else "" for limit in (bar.hold, bar.aim)]
    return " | ".join(texts)


def bars_table(cases):
    lines = ["| target | work | figure | measured | hold | aim | |", "|---|---|---|---|---|---|---|"]
    for case in cases:
        for bar in case.bars:
            value = bar.value(case)
            lines.append(
                f"| {bar.target} | {case.title} | {bar.what} | {number(value, bar.unit)} | {limits(bar)} | {verdict(bar, value)} |"
            )
    return lines


def seconds_table(cases):
    lines = ["| work | contender | median s | least–most s | peak MiB |", "|---|---|---|---|---|"]
    for case in cases:
        for contender in case.contenders:
            median = median_seconds(case, contender.name)
            if median is None:
                why = case.failures.get(contender.name, "not run").replace("|", "\\|")
                lines.append(f"| {case.title} | {contender.name} | failed: {why} | | |")
                continue
            seconds = [sample.seconds for sample in case.samples[contender.name]]
            peak = peak_mib(case, contender.name)
            lines.append(
                f"| {case.title} | {contender.name} | {median:.3f} | {min(seconds):.3f}–{max(seconds):.3f}"
                f" | {'' if peak is None else f'{peak:.0f}'} |"
            )
    return lines


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def version(binary):
    """The commit tells only of what was built in this tree."""
    if ROOT / "target" not in binary.parents:
        return f"as {binary.name}, built elsewhere"
    return f"{first_line('git', 'describe', '--always', '--dirty')} ({binary.parent.name} profile)"


def machine_lines(duckdb_version, binary):
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        f"- {os.cpu_count()} × {processor()}, {memory:.0f} GiB, Linux {platform.release()}",
        f"- Longshore {version(binary)}, "
        f"DuckDB {duckdb_version} (2 threads), Docker {first_line('docker', 'version', '--format', '{{.Server.Version}}')}",
        f"- {datetime.date.today().isoformat()}; load of the machine at the end {os.getloadavg()[0]:.1f}",
    ]


def document(cases, data, runs, command, duckdb_version, binary):
    notes = [f"- {case.title}: {case.note}" for case in cases if case.note]
    return "\n".join([
        "# Benchmarks",
        "",
        f"Written by `{command}`. Contenders take turns; medians of {runs} rounds ({3 * runs} for jobs of no data) after",
        "one that warms the caches. Staging and publishing are the phases that a job's result document names; DuckDB's time is",
        "that of its query alone, without its process. Tables are not synced (LONGSHORE_SYNC=false) unless it says so, nor do the",
        "peers sync; jobs of no data and the commit itself are, as by default. A peak of about 20 MiB is the least that the harness",
        "can see.",
        "",
        *machine_lines(duckdb_version, binary),
        f"- Data: {data.bytes / 1e6:.0f} MB, {data.rows} rows, 10 columns, quoted: {data.quoted}",
        "",
        "## Against the targets",
        "",
        *bars_table(cases),
        "",
        *notes,
        "",
        "Not measured here:",
        "",
        *[f"- {targets}: {why}" for targets, why in NOT_MEASURED],
        "",
        "## Seconds and memory",
        "",
        *seconds_table(cases),
        "",
    ])
