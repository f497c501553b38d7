"""DuckDB's side of the benchmarks, in a process of its own: prints its rows and the seconds of the query alone, so
that the start of Python is never held against it."""

import json
import sys
import time

import duckdb


def main():
    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    started = time.perf_counter()
    rows = connection.execute(sys.argv[1]).fetchall()
    json.dump({"seconds": time.perf_counter() - started, "rows": rows}, sys.stdout)


main()
