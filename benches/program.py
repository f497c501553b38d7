"""Longshore as the benchmarks use it: the one place that spells its command line and its result document."""

import json
import os
import pathlib
import shutil

from measure import Failed, Sample, execute

# What the engine does for a job: to look for the image, and from the container's creation to its removal.
CONTAINER_PHASES = ("image", "create", "start", "run", "drain", "cleanup")
PUBLISH_PHASES = ("collect", "upload", "commit")

SPEC = """id: {id}
name: Benchmark
description: Runs the shell script of a benchmark.
image: {{uri: {image}, tag: "{tag}", policy: release}}
resources: {{preset: small, disk: 64g, timeout: 30m}}
network: {network}
user: runner
read_only_inputs: {read_only_inputs}
"""


class Program:
    """A binary and a project of its own."""

    def __init__(self, binary, folder):
        self.binary = str(binary)
        self.folder = pathlib.Path(folder)

    def create(self):
        self.create_in(self.folder)

    def create_in(self, folder):
        """An empty project with the components of the benchmarks."""
        shutil.rmtree(folder, ignore_errors=True)
        specs = folder / "component-specs"
        specs.mkdir(parents=True)
        shell, base = ("longshore/shell-transformation", "1.1.0"), ("longshore/shell", "1.35-1")
        for id, (image, tag), network, read_only_inputs in (
            ("bench.linked", shell, "none", "true"),
            ("bench.copied", shell, "none", "false"),
            # The base image's own command is a shell that finds no input and ends: a job of nothing.
            ("bench.nothing", base, "none", "true"),
            ("bench.nothing-bridge", base, "bridge", "true"),
        ):
            text = SPEC.format(id=id, image=image, tag=tag, network=network, read_only_inputs=read_only_inputs)
            (specs / f"{id}.yaml").write_text(text)

    def environment(self, sync):
        return {**os.environ, "LONGSHORE_SYNC": "true" if sync else "false"}

    def command(self, *words):
        return self.command_in(self.folder, *words)

    def command_in(self, folder, *words):
        return [self.binary, *words, "--project", str(folder)]

    def import_table(self, table, path, *options, sync=False):
        return execute(self.command("table", "import", table, str(path), *options), env=self.environment(sync))

    def run(self, component, configuration=None, sync=False, mode="run"):
        """Runs a job; the finished process and the milliseconds of each phase."""
        words = ["run", component, "--mode", mode, "--format", "json", "--quiet"]
        if configuration is not None:
            path = self.folder / "configuration.json"
            path.write_text(json.dumps(configuration))
            words += ["--config", str(path)]
        finished = execute(self.command(*words), env=self.environment(sync))
        try:
            result = json.loads(finished.stdout)
        except ValueError as error:
            raise Failed(f"no result document on stdout: {finished.stdout[:80]!r}") from error
        phases = {}
        for part in result["phases"]:
            phases[part["phase"]] = phases.get(part["phase"], 0) + part["milliseconds"]
        return finished, phases

    def sample_phases(self, names, component, configuration, sync=False):
        """The time that some phases of one job took; the peak is that of the whole process."""
        finished, phases = self.run(component, configuration, sync)
        return Sample(sum(phases.get(name, 0) for name in names) / 1000, finished.peak_mib)

    def sample_staging(self, component, configuration):
        """The time that staging took in a job that does nothing else; what it staged is removed."""
        finished, phases = self.run(component, configuration, mode="input")
        shutil.rmtree(self.folder / ".longshore" / "staged")
        return Sample(phases["stage"] / 1000, finished.peak_mib)

    def copy_to(self, folder):
        """A second project with the same tables. Blobs never change, so they are linked."""
        shutil.rmtree(folder, ignore_errors=True)
        blobs = self.folder / ".longshore" / "blobs"

        def copy(source, target):
            if blobs in pathlib.Path(source).parents:
                os.link(source, target)
            else:
                shutil.copy2(source, target)

        shutil.copytree(self.folder, folder, copy_function=copy)
        return Program(self.binary, folder)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def blob_paths(self):
        return [path for path in (self.folder / ".longshore" / "blobs").rglob("*") if path.is_file()]


def configuration(script, inputs=(), outputs=()):
    return {
        "parameters": {"script": script},
        "storage": {"input": {"tables": list(inputs)}, "output": {"tables": list(outputs)}},
    }
