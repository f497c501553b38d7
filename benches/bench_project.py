"""The data, the projects and the contenders that the cases share."""

import shutil

import peers
from measure import Contender
from program import PUBLISH_PHASES, configuration
from service import Service

# Imported, so it lies in slices of 256 MB, and has a key.
SOURCE = "in.c-bench.source"
# Published by a component: one slice, whatever its size.
WHOLE = "in.c-bench.whole"
DELTA = "in.c-bench.delta"
SMALL_DELTA = "in.c-bench.small-delta"


class Bench:
    """The data and the projects that the cases share."""

    def __init__(self, data, folder, program):
        self.data = data
        self.folder = folder
        # Holds the source table; what publishes works on copies of it.
        self.program = program
        self.scratch = folder / "scratch"
        self.copy = None
        self.service = Service(program, folder)

    def fresh_scratch(self):
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)

    def fresh_copy(self):
        self.copy = self.program.copy_to(self.folder / "copy")

    def remove_copy(self):
        if self.copy is not None:
            self.copy.remove()
            self.copy = None

    def source(self, table=SOURCE, **options):
        return {"source": table, "destination": "source.csv", **options}

    def stage(self, component, table=SOURCE, label="Longshore", **options):
        """The stage phase of a job that stages and stops."""
        document = configuration("true", [self.source(table, **options)])
        return Contender(label, lambda: self.program.sample_staging(component, document))

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

    def publishing(self, document, label="Longshore", sync=False, before=None):
        """The phases that publish, of a job on a copy of the project; `before` is a job that ran there first."""

        def prepare():
            self.fresh_copy()
            if before is not None:
                self.copy.run("bench.linked", before)

        def run():
            return self.copy.sample_phases(PUBLISH_PHASES, "bench.linked", document, sync)

        return Contender(label, run, prepare, self.remove_copy)

    def copying(self, peer, label):
        target = self.scratch / "copy.csv"
        return Contender(label, lambda: peer(self.data.path, target), self.fresh_scratch)
