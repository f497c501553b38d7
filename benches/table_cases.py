"""What is measured of tables: staging, publishing, upserting, and all of them around a container."""

import functools

import peers
from bench_project import DELTA, SMALL_DELTA, SOURCE, WHOLE
from measure import Bar, Case, Contender, Sample, evict, peak_mib, ratio
from program import configuration

TARGET = "out.c-bench.target"
LARGE_BYTES = 2_000_000_000


def staging(bench):
    one_slice = "Longshore, one slice"
    filtered = [
        bench.stage("bench.linked", **bench.selection(True)),
        bench.stage("bench.linked", WHOLE, one_slice, **bench.selection(True)),
        bench.duckdb("DuckDB", bench.select_sql(True)),
    ]

    def cold(contender, paths):
        def prepare():
            contender.prepare()
            evict(paths())

        return Contender(contender.name, contender.run, prepare)

    from_disk = [cold(filtered[0], bench.program.blob_paths), cold(filtered[2], lambda: [bench.data.path])]
    memory = Bar("T9", "peak memory", lambda case: peak_mib(case, "Longshore"), 64, 32, unit="MiB")
    of_duckdb = ratio("Longshore", "DuckDB")
    projected = [
        bench.stage("bench.linked", **bench.selection(False)),
        bench.stage("bench.linked", WHOLE, one_slice, **bench.selection(False)),
        bench.duckdb("DuckDB", bench.select_sql(False)),
    ]
    whole = [
        bench.stage("bench.linked", WHOLE, "Longshore, linked"),
        bench.stage("bench.copied", WHOLE, "Longshore, copied"),
        bench.stage("bench.copied", SOURCE, "Longshore, copied from slices"),
        bench.copying(peers.cp, "cp"),
    ]
    return [
        Case("stage-filtered", "stage 4 of 10 columns, category in 3 of 50", filtered,
             [Bar("T1", "÷ DuckDB, 2 threads", of_duckdb, 0.5, 0.25),
              Bar("T1", "one slice ÷ DuckDB, 2 threads", ratio(one_slice, "DuckDB"), 0.5, 0.25), memory]),
        Case("stage-filtered-cold", "the same from a cold cache", from_disk,
             [Bar("T2", "÷ DuckDB, 2 threads", of_duckdb, 0.75, 0.5)]),
        Case("stage-projected", "stage 4 of 10 columns, all rows", projected,
             [Bar("T4", "÷ DuckDB, 2 threads", of_duckdb, 0.4, 0.2),
              Bar("T4", "one slice ÷ DuckDB, 2 threads", ratio(one_slice, "DuckDB"), 0.4, 0.2), memory]),
        Case("stage-whole", "stage the whole table", whole,
             [Bar("T5", "copied ÷ cp", ratio("Longshore, copied", "cp"), 1.1),
              Bar("T5", "copied from slices ÷ cp", ratio("Longshore, copied from slices", "cp"), 1.1),
              Bar("T5", "linked ÷ cp", ratio("Longshore, linked", "cp"), 0.05)]),
    ]


def publishing(bench):
    script = "cp in/tables/source.csv out/tables/target.csv"
    output = {"source": "target.csv", "destination": TARGET}
    # Only the append finds rows that are there already.
    before = configuration(script, [bench.source(WHOLE)], [output])

    def case(name, title, before=None, **options):
        document = configuration(script, [bench.source(WHOLE)], [{**output, **options}])
        return Case(name, title, [
            bench.publishing(document, before=before),
            bench.publishing(document, "Longshore, synced", sync=True, before=before),
            bench.copying(peers.cp, "cp"),
            bench.copying(peers.cp_and_sync, "cp and sync"),
        ], [
            Bar("T7", "÷ cp, neither synced", ratio("Longshore", "cp"), 4, 2),
            Bar("", "÷ cp, both synced", ratio("Longshore, synced", "cp and sync")),
            Bar("T9", "peak memory", lambda case: peak_mib(case, "Longshore"), 64, 32, unit="MiB"),
        ])

    keyed = configuration(script, [bench.source(WHOLE)], [{**output, "primary_key": [bench.data.key]}])
    return [
        case("publish-replace", "publish the whole table, replace"),
        case("publish-append", "publish the whole table, append", before, incremental=True),
        Case("publish-keyed", "publish the whole table, replace, with a key", [
            bench.publishing(keyed), bench.copying(peers.cp, "cp"),
        ], [
            Bar("", "÷ cp, neither synced", ratio("Longshore", "cp")),
            Bar("T9", "peak memory", lambda case: peak_mib(case, "Longshore"), 256, 128, unit="MiB"),
        ], note="Keys are hashed, sorted, stored and compared for duplicates besides the checks."),
        Case("import", "import the whole table from the command line",
             [Contender("Longshore", functools.partial(import_source, bench), bench.fresh_copy, bench.remove_copy),
              bench.copying(peers.cp, "cp")],
             [Bar("", "÷ cp, neither synced", ratio("Longshore", "cp"))],
             note="The whole process; the file is not ours to take, so it is written again."),
    ]


def import_source(bench):
    finished = bench.copy.import_table("in.c-bench.again", bench.data.path)
    return Sample(finished.seconds, finished.peak_mib)


def upsert_job(bench, delta):
    return configuration(
        "cp in/tables/delta.csv out/tables/delta.csv",
        [{"source": delta, "destination": "delta.csv"}],
        [{"source": "delta.csv", "destination": SOURCE, "incremental": True, "primary_key": [bench.data.key]}],
    )


def upsert(bench):
    """A tenth of the rows comes in: half of them replace a row, half are new."""
    load, small_load = upsert_job(bench, DELTA), upsert_job(bench, SMALL_DELTA)
    sql = peers.upsert_sql(bench.data.path, bench.data.delta, bench.data.key, bench.scratch / "upserted.csv")
    return Case("upsert", "upsert a tenth of the rows", [
        bench.publishing(load),
        bench.publishing(load, "Longshore, second load", before=load),
        bench.publishing(small_load, "Longshore, a thousandth after it", before=load),
        bench.duckdb("DuckDB", sql),
    ], [
        Bar("T8", "÷ DuckDB anti-join, CSV to CSV", ratio("Longshore", "DuckDB"), 0.4, 0.15),
        Bar("T8", "second load ÷ DuckDB anti-join", ratio("Longshore, second load", "DuckDB"), 0.4, 0.15),
        Bar("T8", "a hundredth of that delta ÷ DuckDB anti-join",
            ratio("Longshore, a thousandth after it", "DuckDB"), 0.4, 0.15),
        Bar("T9", "peak memory", lambda case: peak_mib(case, "Longshore"), 256, 128, unit="MiB"),
    ], note="Each load also makes a new version and keeps the old ones readable; DuckDB writes one file.")


def end_to_end(bench):
    document = configuration(
        "cp in/tables/source.csv out/tables/filtered.csv; cp in/tables/delta.csv out/tables/delta.csv",
        [bench.source(**bench.selection(True)), {"source": DELTA, "destination": "delta.csv"}],
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


def large(bench):
    """A table that no memory bar would allow to be held: staged, copied by the component, published."""
    times = -(-LARGE_BYTES // bench.data.bytes)
    repeat = f"""head -n 1 in/tables/source.csv > out/tables/large.csv
for _ in $(seq {times}); do tail -n +2 in/tables/source.csv; done >> out/tables/large.csv"""
    grow = configuration(repeat, [bench.source(WHOLE)], [{"source": "large.csv", "destination": "in.c-bench.large"}])
    copy = configuration(
        "cp in/tables/large.csv out/tables/large.csv",
        [{"source": "in.c-bench.large", "destination": "large.csv"}],
        [{"source": "large.csv", "destination": TARGET}],
    )

    def prepare():
        bench.fresh_copy()
        bench.copy.run("bench.linked", grow)

    def run():
        finished, _ = bench.copy.run("bench.copied", copy)
        return Sample(finished.seconds, finished.peak_mib)

    return Case("large", f"{times * bench.data.bytes / 1e9:.1f} GB staged (copied), transformed, published", [
        Contender("Longshore", run, prepare, bench.remove_copy),
    ], [Bar("T9", "peak memory", lambda case: peak_mib(case, "Longshore"), 64, 32, unit="MiB")], rounds=1,
        note="One round after one that warms the caches; the whole process.")
