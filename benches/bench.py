#!/usr/bin/env python3
"""Measures Longshore against its peers in one run. `make bench` calls it in an environment with DuckDB."""

import argparse
import csv
import pathlib
import re
import subprocess
import sys
import time
from dataclasses import dataclass

import peers
import report
from bench_project import DELTA, SMALL_DELTA, SOURCE, WHOLE, Bench
from bucket_cases import buckets
from catalog_cases import catalog
from container_cases import containers, log
from measure import Failed, run_case
from program import Program, configuration
from table_cases import end_to_end, large, publishing, staging, upsert

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".cache" / "bench"
CATEGORIES_WANTED = 3


@dataclass
class Data:
    """The generated table: where it lies and which of its columns the cases use."""

    path: pathlib.Path
    delta: pathlib.Path
    small_delta: pathlib.Path
    quoted: str
    bytes: int
    rows: int
    key: str
    columns: list
    category: str
    values: list


def say(text):
    print(text, file=sys.stderr, flush=True)


def generate(megabytes, quoted):
    """The data set and its delta, made once for each size."""
    folder = FOLDER / "data"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{megabytes}-{quoted}.csv"
    if not path.exists():
        say(f"… generate {path.relative_to(ROOT)}")
        unfinished = path.with_suffix(".unfinished")
        generator = [sys.executable, str(ROOT / "benches" / "generate_table.py")]
        options = ["--megabytes", str(megabytes), *(["--quoted"] if quoted == "all" else [])]
        subprocess.run([*generator, str(unfinished), *options], check=True, stdout=sys.stderr)
        unfinished.rename(path)
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        header = next(reader)
        sample = [row for row, _ in zip(reader, range(5000))]
    category = next(column for column in header if "category" in column)
    key = header[0]
    others = [column for column in header if column not in (key, category)]
    values = sorted({row[header.index(category)] for row in sample} - {""})[:CATEGORIES_WANTED]
    rows = peers.duckdb_value(f"SELECT count(*) FROM {peers.read(path)}")
    deltas = []
    for name, every in (("delta", 10), ("small-delta", 1000)):
        delta = path.with_name(f"{path.stem}-{name}.csv")
        if not delta.exists():
            peers.duckdb(peers.delta_sql(path, delta, key, rows, quoted == "all", every))
        deltas.append(delta)
    columns = [key, others[0], category, others[1]]
    return Data(path, *deltas, quoted, path.stat().st_size, rows, key, columns, category, values)


def make_project(data, binary):
    """The source table with its key, and the rows that come in later."""
    program = Program(binary, FOLDER / "project")
    program.create()
    say("… import the table")
    program.import_table(SOURCE, data.path, "--primary-key", data.key)
    program.import_table(DELTA, data.delta)
    program.import_table(SMALL_DELTA, data.small_delta)
    whole = {"source": "whole.csv", "destination": WHOLE}
    inputs = [{"source": SOURCE, "destination": "source.csv"}]
    program.run("bench.linked", configuration("cp in/tables/source.csv out/tables/whole.csv", inputs, [whole]))
    return program


def all_cases(bench, in_a_bucket):
    return [
        *staging(bench),
        *publishing(bench),
        upsert(bench),
        end_to_end(bench),
        large(bench),
        *containers(bench),
        log(bench),
        catalog(bench),
        *in_a_bucket,
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the table (default: %(default)s)")
    parser.add_argument("--quoted", choices=["all", "minimal"], default="all")
    parser.add_argument("--runs", type=int, default=5, help="rounds that count (default: %(default)s)")
    parser.add_argument("--only", default="", help="regular expression: names of the cases to run")
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target" / "release" / "longshore")
    parser.add_argument("--write", type=pathlib.Path, help="write the report to this file as well")
    options = parser.parse_args()

    started = time.monotonic()
    data = generate(options.megabytes, options.quoted)
    try:
        program = make_project(data, options.binary.absolute())
    except Failed as failure:
        sys.exit(f"error: the table cannot be imported: {failure}")
    bench = Bench(data, FOLDER, program)
    in_a_bucket, remove_bucket = buckets(bench)
    cases = [case for case in all_cases(bench, in_a_bucket) if re.search(options.only, case.name)]
    for case in cases:
        say(f"… {case.name}: {case.title}")
        run_case(case, options.runs, say)
    program.remove()
    remove_bucket()

    command = f"make bench MEGABYTES={options.megabytes} QUOTED={options.quoted} RUNS={options.runs}"
    command += f" ONLY={options.only!r}" if options.only else ""
    text = report.document(cases, data, options.runs, command, peers.duckdb_value("SELECT version()"))
    print(text)
    if options.write:
        options.write.write_text(text)
    say(f"✓ {time.monotonic() - started:.0f} s in all")


if __name__ == "__main__":
    main()
