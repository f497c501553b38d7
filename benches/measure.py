"""Runs commands and keeps their time and peak memory; contenders take turns, medians are compared."""

import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field


class Failed(Exception):
    """A contender could not do its work; the text says what it printed."""


@dataclass
class Sample:
    seconds: float
    # Resident peak of the measured process and those it waited for, in MiB; None where nobody looked.
    peak_mib: float = None


@dataclass
class Finished:
    seconds: float
    peak_mib: float
    stdout: str


@dataclass
class Contender:
    """`run` returns a Sample; `prepare` and `clean_up` are not measured."""

    name: str
    run: callable
    prepare: callable = lambda: None
    clean_up: callable = lambda: None


@dataclass
class Bar:
    """What a target asks for. `value` computes the figure from the contenders' medians; lower is better
    unless `higher_is_better`."""

    target: str
    what: str
    value: callable
    hold: float = None
    aim: float = None
    unit: str = "×"
    higher_is_better: bool = False


@dataclass
class Case:
    name: str
    title: str
    contenders: list
    bars: list
    runs_factor: int = 1
    # Fixes the number of rounds that count, where each one is long.
    rounds: int = None
    warm_up: bool = True
    note: str = ""
    # Filled by `run_case`.
    samples: dict = field(default_factory=dict)
    failures: dict = field(default_factory=dict)


def execute(command, **options):
    """Runs a command to its end; its time, peak memory and stdout. Raises Failed with what it said.

    The kernel counts a child's memory from before its exec, so no peak is seen below this process's own
    (about 20 MiB): nothing large may be imported here.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, **options)
        # wait4 gives the usage of exactly this child; `resource` would give the largest of all so far.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        stdout = out.read().decode(errors="replace")
        if process.returncode != 0:
            said = (err.read().decode(errors="replace") + stdout).strip().splitlines()
            raise Failed(f"exit {process.returncode}: " + " / ".join(said[-3:]))
    return Finished(seconds, usage.ru_maxrss / 1024, stdout)


def run_case(case, runs, say):
    """Every contender once per round, so that a noisy minute meets all of them alike. The first round warms
    caches and is not counted."""
    case.samples = {contender.name: [] for contender in case.contenders}
    rounds = case.rounds or runs * case.runs_factor
    for round_number in range(0 if case.warm_up else 1, rounds + 1):
        for contender in case.contenders:
            if contender.name in case.failures:
                continue
            try:
                contender.prepare()
                # Nobody pays for the pages that the one before has still to write.
                os.sync()
                sample = contender.run()
                if round_number > 0:
                    case.samples[contender.name].append(sample)
            except Failed as failure:
                case.failures[contender.name] = str(failure)
                say(f"  {case.name}: {contender.name} failed: {failure}")
            finally:
                contender.clean_up()


def median_seconds(case, name):
    samples = case.samples.get(name)
    if not samples or name in case.failures:
        return None
    return statistics.median(sample.seconds for sample in samples)


def peak_mib(case, name):
    peaks = [sample.peak_mib for sample in case.samples.get(name, []) if sample.peak_mib is not None]
    return max(peaks) if peaks and name not in case.failures else None


def ratio(upper, lower):
    """A bar's value: the median of one contender by that of another."""

    def value(case):
        above, below = median_seconds(case, upper), median_seconds(case, lower)
        return None if above is None or below is None else above / below

    return value


def evict(paths):
    """Takes files out of the page cache; needs no root, but only clean pages go."""
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)
