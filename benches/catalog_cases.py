"""What is measured of a catalog that has grown."""

import age
from bench_project import SOURCE
from measure import Bar, Case, Contender, Sample, execute, median_seconds


def catalog(bench):
    """A project that has lived for years."""

    aged = []

    def prepare():
        if not aged:
            aged.append(bench.program.copy_to(bench.folder / "aged"))
            age.age(aged[0].folder / ".longshore" / "catalog.sqlite")

    def clean_up():
        aged.pop().remove()

    def listing(*words):
        def run():
            samples = [execute(aged[0].command(*words)) for _ in range(5)]
            best = sorted(finished.seconds for finished in samples)[len(samples) // 2]
            return Sample(best, max(finished.peak_mib for finished in samples))

        return run

    def nothing_there():
        finished, _ = aged[0].run("bench.nothing", sync=True)
        return Sample(finished.seconds, finished.peak_mib)

    def milliseconds(name):
        def value(case):
            seconds = median_seconds(case, name)
            return None if seconds is None else seconds * 1000

        return value

    title = f"a catalog of {age.TABLES} tables, {age.JOBS} jobs, {age.EVENTS} events"
    return Case("catalog", title, [
        Contender("job ls", listing("job", "ls"), prepare),
        Contender("job of no data", nothing_there, prepare),
        Contender("table show", listing("table", "show", SOURCE), prepare, clean_up),
    ], [
        Bar("T19", "job ls", milliseconds("job ls"), 50, unit="ms"),
        Bar("T19", "table show", milliseconds("table show"), 50, unit="ms"),
    ], rounds=1, warm_up=False,
        note="One round; the whole process, for the lists the median of five.")
