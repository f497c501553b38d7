"""What is measured of the service: an idle worker, jobs of no data from message to reply, and what many of them leave."""

import time

import peers
from container_cases import JOBS_IN_FLIGHT, four_at_once
from measure import Bar, Case, Contender, Sample, execute, median_seconds, ratio
from program import CONTAINER_PHASES
from service import SLOTS

IDLE_SECONDS = 30
# Connections, pools and first allocations settle before an idle worker is looked at.
SETTLE_SECONDS = 10
JOBS_AT_ONCE = 24
JOBS_WITHOUT_CONTAINER = 200
MEMORY_MARKS = (10, 100, 500)
WORKER = "Longshore, worker"
SYNC_NOTE = "The test servers of `make services`, where PostgreSQL and the S3 store do not sync and RabbitMQ does"


def service(bench, jobs):
    return [idle(bench), *replies(bench), at_once(bench), without_container(bench), memory(bench, jobs)]


def idle(bench):
    shares = []

    def run():
        before, started = bench.service.processor_seconds(), time.perf_counter()
        time.sleep(IDLE_SECONDS)
        seconds = time.perf_counter() - started
        shares.append((bench.service.processor_seconds() - before) / seconds * 100)
        return Sample(seconds, bench.service.resident_mib())

    def prepare():
        bench.service.start_worker()
        time.sleep(SETTLE_SECONDS)

    return Case("worker-idle", f"an idle worker for {IDLE_SECONDS} s", [Contender(WORKER, run, prepare)], [
        Bar("T18", "of a core", lambda case: shares[0] if shares else None, 1, 0.3, unit="%"),
        Bar("T18", "resident memory", resident(WORKER), 64, 40, unit="MiB"),
    ], rounds=1, warm_up=False)


def resident(name):
    def value(case):
        samples = case.samples.get(name)
        return samples[-1].peak_mib if samples else None

    return value


def ensure_worker(bench):
    if bench.service.worker is None:
        bench.service.start_worker()


def replies(bench):
    cases = []
    for target, network, hold, aim in (("T10", "none", 0.8, 0.6), ("T11", "bridge", 1.1, 1.0)):
        component = "bench.nothing" if network == "none" else "bench.nothing-bridge"
        added = []

        def run(component=component, added=added):
            sample, [document] = bench.service.run_jobs(component, 1)
            engine = sum(part["milliseconds"] for part in document["phases"] if part["phase"] in CONTAINER_PHASES)
            added.append(sample.seconds * 1000 - engine)
            return sample

        def beside_engine(case, added=added):
            # The first round is not counted here either.
            counted = sorted(added[1:])
            return counted[len(counted) // 2] if counted else None

        options = ("--network", network)
        cases.append(Case(f"worker-reply-{network}", f"a message for a job of no data, network {network}", [
            Contender(WORKER, run, lambda: ensure_worker(bench)),
            Contender("docker run", lambda options=options: peers.docker_run(*options)),
        ], [
            Bar(target, f"message to reply ÷ docker run --rm --network {network}", ratio(WORKER, "docker run"), hold, aim),
            Bar("T12", "beside the engine's calls", beside_engine, 50, 20, unit="ms"),
        ], runs_factor=3, note=f"From publishing to the reply. {SYNC_NOTE}."))
    return cases


def times_as_many(peer):
    def value(case):
        ours, theirs = median_seconds(case, WORKER), median_seconds(case, peer)
        return None if ours is None or theirs is None else theirs / ours

    return value


def at_once(bench):
    docker = ["docker", "run", "--rm", "--network", "none", peers.SHELL_IMAGE, "true"]
    return Case("worker-at-once", f"{JOBS_AT_ONCE} messages at once, {SLOTS} slots", [
        Contender(WORKER, lambda: bench.service.run_jobs("bench.nothing", JOBS_AT_ONCE)[0], lambda: ensure_worker(bench)),
        Contender("docker run", four_at_once(docker, JOBS_AT_ONCE)),
    ], [Bar("T13", f"jobs a second ÷ xargs -P{JOBS_IN_FLIGHT} docker run", times_as_many("docker run"), 1.3, 1.8,
            higher_is_better=True)],
        note=f"From the first message to the last reply. {SYNC_NOTE}.")


def without_container(bench):
    """Jobs of a component that nobody knows: accepted, claimed, ended and told of, and nothing else."""

    def run():
        seconds, _ = bench.service.call("bench.unknown", JOBS_WITHOUT_CONTAINER)
        return Sample(seconds)

    database = []

    def prepare():
        ensure_worker(bench)
        if not database:
            database.append(peers.prepare_pgbench(bench.service))

    def rate(case):
        seconds = median_seconds(case, WORKER)
        return None if seconds is None else JOBS_WITHOUT_CONTAINER / seconds

    return Case("worker-claims", f"{JOBS_WITHOUT_CONTAINER} jobs that end before a container", [
        Contender(WORKER, run, prepare),
        Contender("pgbench", lambda: peers.pgbench(database[0], SLOTS, JOBS_WITHOUT_CONTAINER)),
    ], [
        Bar("", "accepted, claimed, ended and told of a second", rate, unit="jobs", higher_is_better=True),
        Bar("", "jobs a second ÷ transactions a second of pgbench", times_as_many("pgbench"), higher_is_better=True),
    ], note="The component is not known, so the job ends as a user's error. Each needs several transactions; pgbench's are "
            f"TPC-B's, by {SLOTS} clients.")


def memory(bench, jobs):
    """One fresh worker, looked at after so many jobs."""
    marks = sorted({mark for mark in (*MEMORY_MARKS, jobs) if mark <= jobs})
    contenders = []
    done = 0
    for mark in marks:
        def run(count=mark - done):
            return bench.service.run_jobs("bench.nothing", count)[0]

        prepare = bench.service.start_worker if done == 0 else (lambda: None)
        contenders.append(Contender(f"{WORKER}, after {mark} jobs", run, prepare))
        done = mark

    def growth(case):
        first, last = (resident(contenders[index].name)(case) for index in (-2, -1))
        return None if first is None or last is None else last - first

    bars = [Bar("", f"resident after {mark}", resident(contender.name), unit="MiB")
            for mark, contender in zip(marks, contenders)]
    if len(marks) > 1:
        bars.append(Bar("", f"grown from {marks[-2]} to {marks[-1]}", growth, unit="MiB"))
    return Case("worker-memory", f"a worker that has run {jobs} jobs of no data", contenders, bars, rounds=1,
                warm_up=False, note="The seconds are those of the jobs since the mark before.")
