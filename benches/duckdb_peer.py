"""DuckDB's side of the benchmarks, in a process of its own: prints the seconds of the query alone, so that
the start of Python is never held against it."""

import json
import sys
import time

import duckdb


def main():
    job = json.loads(sys.argv[1])
    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    started = time.perf_counter()
    connection.execute(job["sql"])
    print(time.perf_counter() - started)


main()
