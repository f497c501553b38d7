"""Makes a catalog look as if its project had lived for years: tables, jobs and events that nobody ever ran."""

import sqlite3
import time

TABLES = 100_000
JOBS = 20_000
EVENTS_PER_JOB = 500
EVENTS = JOBS * EVENTS_PER_JOB

# What lives at the end of the catalog's counters stays far below.
FIRST_ID = 1_000_000
FOREVER = 2**63 - 1


def job_id(number):
    return f"01900000-0000-7000-8000-{number:012x}"


def tables(now):
    for number in range(TABLES):
        yield (FIRST_ID + number, f"out.c-old-{number % 1000}.table-{number}", 1, 1, now, None)


def versions(now):
    columns = '["id","name","price"]'
    for number in range(TABLES):
        yield (FIRST_ID + number, 1, now, columns, "[]", 1000, 50_000, "replace", job_id(number % JOBS), 0, 1000, 0, 50_000, None)


def slices(now):
    for number in range(TABLES):
        blob = f"slices/old/{number}.csv"
        yield (FIRST_ID + number, FIRST_ID + number, 1, FOREVER, blob, None, '["id","name","price"]', 1000, 50_000, b"\0" * 16, now)


def jobs(now):
    for number in range(JOBS):
        moment = now + number
        yield (job_id(number), "bench.nothing", None, "{}", "success", 1, moment, moment, moment, None, "1 table", "{}", None)


def attempts(now):
    for number in range(JOBS):
        yield (job_id(number), 1, "w-old", "commit", now + number, now + number + 1, None)


def events(now):
    for number in range(JOBS):
        job = job_id(number)
        for sequence in range(EVENTS_PER_JOB):
            yield (job, sequence, now + sequence, "info", "stdout", f"line {sequence} of what a component said")


def age(path):
    """Blobs are not made: nothing that is measured reads one of these tables."""
    now = int((time.time() - 86_400) * 1_000_000)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN")
    for table, rows in (
        ("tables", tables), ("versions", versions), ("slices", slices),
        ("jobs", jobs), ("attempts", attempts), ("events", events),
    ):
        rows = rows(now)
        first = next(rows)
        marks = ", ".join("?" * len(first))
        statement = f"INSERT INTO {table} VALUES ({marks})"
        connection.execute(statement, first)
        connection.executemany(statement, rows)
    connection.execute("COMMIT")
    connection.close()
