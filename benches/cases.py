"""What is measured: each case is one piece of work, done by Longshore and by its peers in turns."""

import functools
import shutil

import peers
from measure import Bar, Case, Contender, Sample, evict, execute, median_seconds, peak_mib, ratio
from program import CONTAINER_PHASES, PUBLISH_PHASES, configuration

SOURCE = "in.c-bench.source"
TARGET = "out.c-bench.target"
JOBS_IN_FLIGHT = 4
JOBS = 24
LOG_BYTES = 101_000_000
LOG_LINE = "x" * 100


class Bench:
    """The data and the projects that the cases share."""

    def __init__(self, data, folder, program):
        self.data = data
        self.folder = folder
        # Holds the source table; what publishes works on copies of it.
        self.program = program
        self.scratch = folder / "scratch"
        self.copy = None

    def fresh_scratch(self):
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)

    def fresh_copy(self):
        self.copy = self.program.copy_to(self.folder / "copy")

    def remove_copy(self):
        if self.copy is not None:
            self.copy.remove()
            self.copy = None

    def source(self, **options):
        return {"source": SOURCE, "destination": "source.csv", **options}

    def stage(self, component, **options):
        """The stage phase of a job that does nothing else."""
        document = configuration("true", [self.source(**options)])
        return Contender("Longshore", lambda: self.program.sample_phases(("stage",), component, document))

    def duckdb(self, label, sql):
        return Contender(label, lambda: peers.duckdb(sql), self.fresh_scratch)

    def selection(self, filtered):
        options = {"columns": self.data.columns}
        if filtered:
            options |= {"where_column": self.data.category, "where_values": self.data.values}
        return options

    def select_sql(self, filtered):
        condition = (self.data.category, self.data.values) if filtered else ()
        return peers.select_sql(self.data.path, self.scratch / "selected.csv", self.data.columns, *condition)

    def publishing(self, document, sync=False):
        """The phases that publish, of a job on a copy of the project."""

        def run():
            return self.copy.sample_phases(PUBLISH_PHASES, "bench.linked", document, sync)

        label = "Longshore, synced" if sync else "Longshore"
        return Contender(label, run, self.fresh_copy, self.remove_copy)

    def copying(self, peer, label):
        target = self.scratch / "copy.csv"
        return Contender(label, lambda: peer(self.data.path, target), self.fresh_scratch)


def all_cases(bench):
    return [
        *staging(bench),
        *publishing(bench),
        upsert(bench),
        *containers(bench),
        log(bench),
        end_to_end(bench),
    ]


def staging(bench):
    filtered = [bench.stage("bench.linked", **bench.selection(True)), bench.duckdb("DuckDB", bench.select_sql(True))]

    def cold(contender, paths):
        def prepare():
            contender.prepare()
            evict(paths())

        return Contender(contender.name, contender.run, prepare)

    from_disk = [cold(filtered[0], bench.program.blob_paths), cold(filtered[1], lambda: [bench.data.path])]
    memory = Bar("T9", "peak memory", lambda case: peak_mib(case, "Longshore"), 64, 32, unit="MiB")
    of_duckdb = ratio("Longshore", "DuckDB")
    whole = [
        Contender("Longshore, linked", bench.stage("bench.linked").run),
        Contender("Longshore, copied", bench.stage("bench.copied").run),
        bench.copying(peers.cp, "cp"),
    ]
    return [
        Case("stage-filtered", "stage 4 of 10 columns, category in 3 of 50", filtered,
             [Bar("T1", "÷ DuckDB, 2 threads", of_duckdb, 0.5, 0.25), memory]),
        Case("stage-filtered-cold", "the same from a cold cache", from_disk,
             [Bar("T2", "÷ DuckDB, 2 threads", of_duckdb, 0.75, 0.5)]),
        Case("stage-projected", "stage 4 of 10 columns, all rows",
             [bench.stage("bench.linked", **bench.selection(False)), bench.duckdb("DuckDB", bench.select_sql(False))],
             [Bar("T4", "÷ DuckDB, 2 threads", of_duckdb, 0.4, 0.2), memory]),
        Case("stage-whole", "stage the whole table", whole,
             [Bar("T5", "copied ÷ cp", ratio("Longshore, copied", "cp"), 1.1),
              Bar("T5", "linked ÷ cp", ratio("Longshore, linked", "cp"), 0.05)]),
    ]


def publishing(bench):
    script = "cp in/tables/source.csv out/tables/target.csv"
    output = {"source": "target.csv", "destination": TARGET}

    def case(name, title, **options):
        document = configuration(script, [bench.source()], [{**output, **options}])
        return Case(name, title, [
            bench.publishing(document),
            bench.publishing(document, sync=True),
            bench.copying(peers.cp, "cp"),
            bench.copying(peers.cp_and_sync, "cp and sync"),
        ], [
            Bar("T7", "÷ cp, neither synced", ratio("Longshore", "cp"), 4, 2),
            Bar("", "÷ cp, both synced", ratio("Longshore, synced", "cp and sync")),
            Bar("T9", "peak memory", lambda case: peak_mib(case, "Longshore"), 64, 32, unit="MiB"),
        ])

    return [
        case("publish-replace", "publish the whole table, replace"),
        case("publish-append", "publish the whole table, append", incremental=True),
        Case("import", "import the whole table from the command line",
             [Contender("Longshore", functools.partial(import_source, bench), bench.fresh_copy, bench.remove_copy),
              bench.copying(peers.cp, "cp")],
             [Bar("", "÷ cp, neither synced", ratio("Longshore", "cp"))]),
    ]


def import_source(bench):
    finished = bench.copy.import_table("in.c-bench.again", bench.data.path)
    return Sample(finished.seconds, finished.peak_mib)


def upsert(bench):
    """A tenth of the rows comes in: half of them replace a row, half are new."""
    document = configuration(
        "cp in/tables/delta.csv out/tables/delta.csv",
        [{"source": "in.c-bench.delta", "destination": "delta.csv"}],
        [{"source": "delta.csv", "destination": SOURCE, "incremental": True, "primary_key": [bench.data.key]}],
    )
    sql = peers.upsert_sql(bench.data.path, bench.data.delta, bench.data.key, bench.scratch / "upserted.csv")
    return Case("upsert", "upsert a tenth of the rows", [bench.publishing(document), bench.duckdb("DuckDB", sql)], [
        Bar("T8", "÷ DuckDB anti-join, CSV to CSV", ratio("Longshore", "DuckDB"), 0.4, 0.15),
        Bar("T9", "peak memory", lambda case: peak_mib(case, "Longshore"), 256, 128, unit="MiB"),
    ])


def nothing(bench, component):
    """A whole job without data, as its caller waits for it, and how much of it was not the engine's."""

    def run():
        finished, phases = bench.program.run(component)
        engine = sum(phases.get(name, 0) for name in CONTAINER_PHASES) / 1000
        return Sample(finished.seconds), Sample(finished.seconds - engine)

    return run


def containers(bench):
    cases = []
    for target, network, hold, aim in (("T10", "none", 0.8, 0.6), ("T11", "bridge", 1.1, 1.0)):
        component = "bench.nothing" if network == "none" else "bench.nothing-bridge"
        added = []
        measured = nothing(bench, component)

        def run(measured=measured, added=added):
            whole, beside = measured()
            added.append(beside.seconds)
            return whole

        def beside_engine(case, added=added):
            # The first round is not counted here either.
            counted = sorted(added[1:])
            return counted[len(counted) // 2] * 1000 if counted else None

        options = ("--network", network)
        cases.append(Case(f"nothing-{network}", f"a job of no data, network {network}", [
            Contender("Longshore", run),
            Contender("docker run", lambda options=options: peers.docker_run(*options)),
        ], [
            Bar(target, f"÷ docker run --rm --network {network}", ratio("Longshore", "docker run"), hold, aim),
            Bar("T12", "beside the engine's calls", beside_engine, 50, 20, unit="ms"),
        ], runs_factor=3, note="The whole process from the command line, not a worker's message to ack."))
    return [*cases, in_flight(bench)]


def in_flight(bench):
    def four_at_once(command):
        words = ["sh", "-c", f'seq {JOBS} | xargs -P{JOBS_IN_FLIGHT} -I{{}} "$@" >/dev/null', "sh", *command]
        return lambda: Sample(execute(words).seconds)

    longshore = bench.program.command("run", "bench.nothing", "--quiet")
    docker = ["docker", "run", "--rm", "--network", "none", peers.SHELL_IMAGE, "true"]

    def times_as_many(case):
        ours, theirs = median_seconds(case, "Longshore"), median_seconds(case, "docker run")
        return None if ours is None or theirs is None else theirs / ours

    return Case("in-flight", f"{JOBS} jobs of no data, {JOBS_IN_FLIGHT} in flight", [
        Contender("Longshore", four_at_once(longshore)),
        Contender("docker run", four_at_once(docker)),
    ], [Bar("T13", "jobs a second ÷ xargs -P4 docker run", times_as_many, 1.3, 1.8, higher_is_better=True)],
        note="A process for each job; a worker saves its start.")


def log(bench):
    script = f"yes {LOG_LINE} | head -c {LOG_BYTES}"
    document = configuration(script)

    def of_what_the_driver_sustains(case):
        seconds = median_seconds(case, "Longshore")
        # What the json-file driver wrote on the reference machine, in MB/s.
        return None if not seconds else LOG_BYTES / 1e6 / seconds / 33

    def run():
        return bench.program.sample_phases(("run", "drain"), "bench.linked", document)

    return Case("log", f"{LOG_BYTES // 1_000_000} MB of stdout", [Contender("Longshore", run)], [
        Bar("T14", "÷ 33 MB/s, what json-file sustains", of_what_the_driver_sustains, 0.9, higher_is_better=True),
    ])


def end_to_end(bench):
    document = configuration(
        "cp in/tables/source.csv out/tables/filtered.csv; cp in/tables/delta.csv out/tables/delta.csv",
        [bench.source(**bench.selection(True)), {"source": "in.c-bench.delta", "destination": "delta.csv"}],
        [
            {"source": "filtered.csv", "destination": "out.c-bench.filtered"},
            {"source": "delta.csv", "destination": SOURCE, "incremental": True, "primary_key": [bench.data.key]},
        ],
    )

    def longshore():
        finished, _ = bench.copy.run("bench.linked", document)
        return Sample(finished.seconds, finished.peak_mib)

    def script():
        scratch = bench.scratch
        (scratch / "in").mkdir()
        (scratch / "out").mkdir()
        target = scratch / "in" / "filtered.csv"
        sql = peers.select_sql(bench.data.path, target, bench.data.columns, bench.data.category, bench.data.values)
        parts = [
            peers.duckdb(sql),
            peers.cp(bench.data.delta, scratch / "in" / "delta.csv"),
            peers.docker_run(
                "--network", "none", "--volume", f"{scratch}:/data",
                command=("sh", "-c", "cp /data/in/* /data/out/"),
            ),
            peers.duckdb(peers.upsert_sql(
                bench.data.path, scratch / "out" / "delta.csv", bench.data.key, scratch / "upserted.csv"
            )),
        ]
        return Sample(sum(part.seconds for part in parts))

    return Case("end-to-end", "filter in, container copies, a tenth upserted", [
        Contender("Longshore", longshore, bench.fresh_copy, bench.remove_copy),
        Contender("DuckDB, docker run, DuckDB", script, bench.fresh_scratch),
    ], [Bar("T17", "÷ script", ratio("Longshore", "DuckDB, docker run, DuckDB"), 0.45, 0.25)])
