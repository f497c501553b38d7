"""What is measured of containers: jobs of no data, alone and several at once, and what they say."""

import peers
from measure import Bar, Case, Contender, Sample, execute, median_seconds, peak_mib, ratio
from program import CONTAINER_PHASES, configuration

JOBS_IN_FLIGHT = 4
JOBS = 24
LOG_BYTES = 101_000_000
LOG_LINE = "x" * 100


def nothing(bench, component):
    """A whole job without data, as its caller waits for it, and how much of it was not the engine's."""

    def run():
        # Synced, as a job is by default.
        finished, phases = bench.program.run(component, sync=True)
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
        ], runs_factor=3, note="The whole process from the command line, not a worker's message to reply."))
    return [*cases, hardening(bench), in_flight(bench)]


# The network of jobs that say `network: bridge`.
SHARED_NETWORK = "longshore-open"
# What a job gets by default, as the client of the engine spells it.
HARDENING = (
    "--cap-drop=ALL", "--security-opt=no-new-privileges", "--pids-limit=256", "--memory=1g", "--memory-swap=1g", "--cpus=2",
    "--shm-size=64m", "--ulimit=nofile=16384", "--ulimit=core=0", "--ulimit=fsize=10737418240", "--init", "--ipc=private",
    "--user=10001:10001", "--tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777,size=536870912,nr_inodes=100000", "--oom-score-adj=500",
)


def hardening(bench):
    """The same component in a container without a single option, and with everything that a job has by default. The
    engine takes longer for any network but its default one, whatever the options; so a job is held against both."""
    return Case("hardening", "a container of no data, with the default hardening and without", [
        # First: it makes the network that the next contender is on.
        Contender("Longshore", lambda: Sample(bench.program.run("bench.nothing-bridge", sync=True)[0].seconds)),
        Contender("unhardened, a job's network", lambda: peers.docker_run("--network", SHARED_NETWORK)),
        Contender("hardened", lambda: peers.docker_run(*HARDENING)),
        Contender("unhardened", peers.docker_run),
    ], [
        Bar("I1", "hardened ÷ unhardened docker run", ratio("hardened", "unhardened"), 1.15, 1.05),
        Bar("I2", "a whole job ÷ unhardened docker run on its network",
            ratio("Longshore", "unhardened, a job's network"), 1.15, 1.0),
        Bar("I3", "a whole job ÷ unhardened docker run", ratio("Longshore", "unhardened"), 1.15, 1.0),
    ], runs_factor=3, note="The whole process on either side; a job also stages, watches, collects and commits.")


def four_at_once(command, count):
    words = ["sh", "-c", f'seq {count} | xargs -P{JOBS_IN_FLIGHT} -I{{}} "$@" >/dev/null', "sh", *command]
    return lambda: Sample(execute(words).seconds)


def in_flight(bench):
    longshore = bench.program.command("run", "bench.nothing", "--quiet")
    docker = ["docker", "run", "--rm", "--network", "none", peers.SHELL_IMAGE, "true"]

    def times_as_many(case):
        ours, theirs = median_seconds(case, "Longshore"), median_seconds(case, "docker run")
        return None if ours is None or theirs is None else theirs / ours

    return Case("in-flight", f"{JOBS} jobs of no data, {JOBS_IN_FLIGHT} in flight", [
        Contender("Longshore", four_at_once(longshore, JOBS)),
        Contender("docker run", four_at_once(docker, JOBS)),
    ], [Bar("T13", "jobs a second ÷ xargs -P4 docker run", times_as_many, 1.3, 1.8, higher_is_better=True)],
        note="A process for each job; a worker saves its start.")


def log(bench):
    script = f"yes {LOG_LINE} | head -c {LOG_BYTES}"
    document = configuration(script)

    def run():
        return bench.program.sample_phases(("start", "run", "drain"), "bench.linked", document)

    title = f"{LOG_BYTES // 1_000_000} MB of stdout in lines of {len(LOG_LINE)} bytes"

    def rate_ratio(case):
        ours, theirs = median_seconds(case, "Longshore"), median_seconds(case, "json-file")
        return None if ours is None or theirs is None else theirs / ours

    return Case("log", title, [
        Contender("Longshore", run),
        Contender("json-file", lambda: peers.docker_run_detached(script)),
    ], [
        Bar("T14", "MB/s ÷ what json-file sustains", rate_ratio, 0.9, higher_is_better=True),
        Bar("T9", "peak memory", lambda case: peak_mib(case, "Longshore"), 64, 32, unit="MiB"),
    ], note="From start to the end of the complete, masked and compressed log; the driver's file alone for the peer.")
