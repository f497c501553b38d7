"""What Longshore is measured against: DuckDB, `cp` and `docker run`."""

import json
import pathlib
import sys

from measure import Sample, execute

HERE = pathlib.Path(__file__).parent
SHELL_IMAGE = "longshore/shell:1.35-1"


def text(value):
    return "'" + str(value).replace("'", "''") + "'"


def name(column):
    return '"' + column.replace('"', '""') + '"'


def read(path):
    """All columns as text, as Longshore keeps them."""
    return f"read_csv({text(path)}, header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"')"


def copy(query, path, quoted=False):
    force = ", FORCE_QUOTE *" if quoted else ""
    return f"COPY ({query}) TO {text(path)} (HEADER, DELIMITER ','{force})"


def duckdb_process(sql):
    finished = execute([sys.executable, str(HERE / "duckdb_peer.py"), sql])
    return finished, json.loads(finished.stdout)


def duckdb(sql):
    """The query's own seconds and the peak of the whole process."""
    finished, answer = duckdb_process(sql)
    return Sample(answer["seconds"], finished.peak_mib)


def duckdb_value(sql):
    _, answer = duckdb_process(sql)
    return answer["rows"][0][0]


def select_sql(source, target, columns, category=None, values=()):
    query = f"SELECT {', '.join(map(name, columns))} FROM {read(source)}"
    if category is not None:
        query += f" WHERE {name(category)} IN ({', '.join(map(text, values))})"
    return copy(query, target)


def upsert_sql(old, delta, key, target):
    """The quickest way that was found: old rows without a new one, then the new ones."""
    query = (
        f"SELECT old.* FROM {read(old)} AS old ANTI JOIN {read(delta)} AS new USING ({name(key)})"
        f" UNION ALL SELECT * FROM {read(delta)}"
    )
    return copy(query, target)


def delta_sql(source, target, key, rows, quoted, every=10):
    """Every n-th row: half of them with a key that exists, half with a new one."""
    query = (
        f"SELECT * REPLACE (CASE WHEN {name(key)}::BIGINT % {2 * every} = 0 THEN {name(key)}"
        f" ELSE ({name(key)}::BIGINT + {rows})::VARCHAR END AS {name(key)})"
        f" FROM {read(source)} WHERE {name(key)}::BIGINT % {every} = 0"
    )
    return copy(query, target, quoted)


def cp(source, target):
    finished = execute(["cp", str(source), str(target)])
    return Sample(finished.seconds, finished.peak_mib)


def cp_and_sync(source, target):
    finished = execute(["sh", "-c", 'cp "$1" "$2" && sync "$2"', "sh", str(source), str(target)])
    return Sample(finished.seconds, finished.peak_mib)


def docker_run(*options, command=("true",)):
    finished = execute(["docker", "run", "--rm", *options, SHELL_IMAGE, *command])
    # What its client holds says nothing about a container's cost.
    return Sample(finished.seconds)


def prepare_pgbench(service):
    """Makes its tables beside the catalog's; the address of the database."""
    url = service.database(execute([str(HERE.parent / "scripts" / "postgres.sh"), "url"]).stdout.strip())
    execute([pgbench_program(), "--initialize", "--quiet", url])
    return url


def pgbench(url, clients, transactions):
    options = ["--no-vacuum", f"--client={clients}", f"--transactions={transactions // clients}"]
    return Sample(execute([pgbench_program(), *options, url]).seconds)


def pgbench_program():
    # Debian keeps the server's programs off the path, by version.
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
    return str(found[-1]) if found else "pgbench"


def docker_run_detached(script):
    """From start to exit with nobody reading the log: what the engine's log driver takes."""
    options = ["--network", "none", "--log-driver", "json-file"]
    created = execute(["docker", "create", *options, SHELL_IMAGE, "sh", "-c", script])
    container = created.stdout.strip()
    try:
        started = execute(["docker", "start", container])
        waited = execute(["docker", "wait", container])
    finally:
        execute(["docker", "rm", "--force", container])
    return Sample(started.seconds + waited.seconds)
