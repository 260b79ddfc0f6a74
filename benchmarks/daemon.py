"""What a daemon costs: `syncline run` handed over to it, 200 scheduled syncs in it, a tenth of them failing, 1,000
objects under it, and how soon a pushed commit is applied that a webhook tells it of.

python benchmarks/daemon.py [run|scheduled [PROCESSES]|failing|objects [N [apart]]|webhook [N]]

Times are of the clock, and beside them of the processor, which others on the machine change less. `run` compares with
a run without a daemon, and with starting Python for nothing. `scheduled` does one run after another, or one in each of
PROCESSES at a time, whose time of the processor is added. With `apart`, no two mappings have a field in common.
"""

from __future__ import annotations

import datetime as dt
import hmac
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from secrets import token_hex
from urllib.request import Request, urlopen

from plan_1000 import PAIR, SHARED

from syncline import workflow
from syncline.daemon.leading import LEADING
from syncline.daemon.processes.pool import running
from syncline.daemon.starts import Starter
from syncline.executor.engine import Engine
from syncline.manifests.repository import Revision
from syncline.model.key import ObjectKey
from syncline.planner.known import Known
from syncline.reconciler.apply import apply_plan
from syncline.settings import read_settings
from syncline.state.open import open_reader
from syncline.state.store import StateReader

TIMES = 15
HEAD = """\
apiVersion: syncline/v1
kind: Tenant
metadata: {name: acme}
spec: {}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: files, tenant: acme}
spec: {connector: file@^1, config: {root: data}, streams: {orders: {files: "*.csv", key: [id]}}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: warehouse, tenant: acme}
spec: {connector: sqlite@^1, config: {path: warehouse.db}}
---
apiVersion: syncline/v1
kind: Mapping
metadata: {name: order, tenant: acme}
spec:
  key: [id]
  fields:
  - {to: id, from: id, type: integer, required: true}
  - {to: name, from: "upper(name)"}
  - {to: total, from: total, type: "decimal(12,2)"}
"""
SYNC = """\
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: tiny-%(n)d, tenant: acme}
spec: {from: files/orders, mapping: order, to: warehouse/orders_%(n)d, read: full, write: upsert}
"""
BROKEN = """\
---
apiVersion: syncline/v1
kind: Connector
metadata: {name: broken, tenant: acme}
spec:
  version: 1.0.0
  http: {url: "http://127.0.0.1:%(port)d"}
  streams:
    orders:
      get: /orders
      records: "[]"
      key: [id]
      schema: {properties: {id: {type: integer}, name: {type: string}, total: {type: number}}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: broken, tenant: acme}
spec: {connector: broken@^1}
"""
DOWN = """\
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Down(BaseHTTPRequestHandler):
    def do_GET(self): self.send_error(503)
    def log_message(self, *_): pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Down)
print(server.server_port, flush=True)
server.serve_forever()
"""
SCHEDULE = """\
---
apiVersion: syncline/v1
kind: Schedule
metadata: {name: hourly, tenant: acme}
spec: {every: 1h, run: [%s]}
"""
GIT = ("git", "-c", "user.name=b", "-c", "user.email=b@example.com")


def git(root: Path, *arguments: str) -> None:
    """Runs git in a folder."""
    subprocess.run([*GIT, *arguments], cwd=root, check=True, capture_output=True)


def tiny(root: Path, syncs: int, *, scheduled: bool, broken: int = 0, port: int = 0) -> None:
    """A repository of tiny syncs: 5 rows of CSV each, into a table of SQLite; every tenth may read a broken API."""
    names = range(syncs)
    text = HEAD + (BROKEN % {"port": port} if broken else "")
    for n in names:
        sync = SYNC % {"n": n}
        text += sync.replace("files/", "broken/") if broken and n % (syncs // broken) == 0 else sync
    if scheduled:
        text += SCHEDULE % ", ".join(f"Sync/tiny-{n}" for n in names)
    (root / "all.yaml").write_text(text)
    (root / "data").mkdir()
    (root / "data" / "orders.csv").write_text("id,name,total\n" + "".join(f"{n},n{n},{n}.50\n" for n in range(5)))


@contextmanager
def serving(root: Path, *options: str, poll: float = 0.2) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A daemon, and what it says."""
    said: list[str] = []
    command = [sys.executable, "-m", "syncline", "--root", str(root), "serve", "--poll", str(poll), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = process.stderr
        threading.Thread(target=lambda: said.extend(lines), daemon=True).start()
        try:
            yield process, said
        finally:
            process.kill()


def until(there: Callable[[], object]) -> float:
    """Seconds until something is so."""
    began = time.perf_counter()
    while not there():
        time.sleep(0.005)
        assert time.perf_counter() - began < 600
    return time.perf_counter() - began


def timed(*command: str) -> tuple[list[float], list[float]]:
    """Milliseconds of the clock and of the processor that a command takes, several times."""
    wall, busy = [], []
    for _ in range(TIMES):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        wall.append((time.perf_counter() - began) * 1_000)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        busy.append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1_000)
    return wall, busy


def show(name: str, wall: list[float], busy: list[float], limit: float | None = None) -> None:
    """Prints a line of JSON; without `busy`, the processor's time wasn't measured."""
    found = {"workload": name, "ms": round(statistics.median(wall), 1), "least_ms": round(min(wall), 1)}
    if busy:
        found["processor_ms"] = round(statistics.median(busy), 1)
    print(json.dumps(found | ({"limit_ms": limit} if limit else {})), flush=True)


def run() -> None:
    """`syncline run` of a tiny sync, with a daemon and without."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        tiny(root, 1, scheduled=False)
        git(root, "init", "--quiet", "--initial-branch=main")
        git(root, "add", "all.yaml")
        git(root, "commit", "--quiet", "--message=first")
        script = str(Path(sys.executable).with_name("syncline"))
        command = (script, "--root", str(root), "run", "Sync/tiny-0")
        with serving(root) as (_, said):
            until(lambda: any("is applied" in line for line in said))
            timed(*command)
            show("syncline run, handed over to a daemon", *timed(*command), 160.0)
        show("syncline run, by itself", *timed(*command))
        show("python, doing nothing", *timed(sys.executable, "-c", "pass"))


def scheduled(processes: int = 0, syncs: int = 200) -> None:
    """Scheduled syncs in one daemon, started by its schedule; all starts but the first are measured."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        tiny(root, syncs, scheduled=True)
        settings = read_settings(root, os.environ)
        workflow.apply(settings)
        with ExitStack() as stack:
            engine = stack.enter_context(workflow.engine(settings))
            lease = stack.enter_context(engine.facilities.store.lease(LEADING))
            runner = stack.enter_context(running(engine, lease, processes))
            now = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
            store = engine.facilities.store.fenced(lease)
            starter = Starter(engine, now, max(1, processes), lambda _: None, store, runner)
            for hour in (1, 2, 3):
                began, busy = time.perf_counter(), _busy()
                at = now + dt.timedelta(hours=hour)
                starter.tick(at)
                until(partial(_come, engine, at))
                spent, used = time.perf_counter() - began, _busy() - busy
                if hour > 1:
                    name = f"{syncs} scheduled syncs, {processes or 'no'} other processes, each"
                    show(name, [spent / syncs * 1_000], [used / syncs * 1_000], 15.0)
            for pid in (os.getpid(), *_children()):
                found = {"rss_mb": _memory(pid, "VmRSS"), "own_mb": _memory(pid, "RssAnon")}
                print(json.dumps({"workload": "memory of the daemon, and of each of its processes", **found}))
            starter.close()


def _children() -> list[int]:
    """The processes of this one that do runs."""
    threads = Path("/proc/self/task").iterdir()
    return sorted({int(pid) for thread in threads for pid in (thread / "children").read_text().split()})


def _busy() -> float:
    """Seconds of the processor, of this process and of those that do runs for it."""
    ticks = sum(sum(map(int, _stat(pid)[11:13])) for pid in _children())
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _memory(pid: int, name: str) -> int:
    """Memory of a process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith(name))


def _come(engine: Engine, at: dt.datetime) -> bool:
    """Whether everything that was due at an instant has ended."""
    schedule = ObjectKey("acme", "Schedule", "hourly")
    return engine.facilities.store.cursor(schedule) == at.isoformat()


def failing(syncs: int = 200, rounds: int = 4) -> None:
    """How long healthy syncs take from the instant at which all are due, while none fails and while a tenth does."""
    with subprocess.Popen([sys.executable, "-c", DOWN], stdout=subprocess.PIPE, text=True) as down:
        assert down.stdout is not None
        port = int(down.stdout.readline())
        try:
            well = _healthy(syncs, 0, port, rounds)
            ill = _healthy(syncs, syncs // 10, port, rounds)
        finally:
            down.kill()
    for number, (without, beside) in enumerate(zip(well, ill, strict=True), 1):
        found = {"p99_ms": round(beside, 1), "none_failing_ms": round(without, 1), "ratio": round(beside / without, 2)}
        print(json.dumps({"workload": f"{syncs} syncs, a tenth failing, round {number}", **found, "limit": 1.5}))


def _healthy(syncs: int, broken: int, port: int, rounds: int) -> list[float]:
    """The 99th percentile of each round, in milliseconds."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        tiny(root, syncs, scheduled=True, broken=broken, port=port)
        settings = read_settings(root, {**os.environ, "SYNCLINE_EGRESS_PRIVATE": "127.0.0.1"})
        workflow.apply(settings)
        with workflow.engine(settings) as engine:
            ended: list[float] = []

            def tell(line: str) -> None:
                if "written" in line:
                    ended.append(time.perf_counter())

            now = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
            starter = Starter(engine, now, 4, tell)
            for hour in range(1, rounds + 1):
                ended.clear()
                began = time.perf_counter()
                starter.tick(now + dt.timedelta(hours=hour))
                until(lambda: len(ended) == syncs - broken)
                found.append(sorted(ended)[int(len(ended) * 0.99)] - began)
                time.sleep(1.0)
            starter.close()
    return [seconds * 1_000 for seconds in found]


def _applied(said: list[str], before: int) -> bool:
    """Whether more commits were applied than before."""
    return sum("is applied" in line for line in said) > before


def _pair(n: int, *, apart: bool) -> str:
    """A mapping and a sync; `apart`, with fields that no other mapping has."""
    text = PAIR % {"n": n}
    return re.sub(r"\b(id|name|first|last|email|total)(?=[],)])", rf"\1_{n}", text) if apart else text


def objects(count: int, *, apart: bool = False) -> None:
    """A daemon over many objects: a look that changes nothing, a commit until it is applied, and its memory."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "shared.yaml").write_text(SHARED)
        for n in range((count - 3) // 2):
            (root / f"order-{n}.yaml").write_text(_pair(n, apart=apart))
        git(root, "init", "--quiet", "--initial-branch=main")
        git(root, "add", "--all", ":!.syncline")
        git(root, "commit", "--quiet", "--message=first")
        with serving(root) as (process, said):
            first = until(lambda: any("is applied" in line for line in said))
            print(json.dumps({"workload": f"{count} objects, first apply, start included", "s": round(first, 2)}))
            latencies = []
            for change in range(5):
                text = _pair(0, apart=apart)
                (root / "order-0.yaml").write_text(text.replace("lower(", "upper(") if change % 2 else text)
                (root / "note").write_text(str(change))
                git(root, "add", "note", "order-0.yaml")
                git(root, "commit", "--quiet", "--message=change")
                latencies.append(until(partial(_applied, said, change + 1)))
            show(f"{count} objects, commit to applied", [s * 1_000 for s in latencies], [], 5_000.0)
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = {line.split(":")[0]: int(line.split()[1]) // 1024 for line in status.splitlines() if "kB" in line}
            print(
                json.dumps({"workload": f"{count} objects, memory", "rss_mb": peak["VmRSS"], "peak_mb": peak["VmHWM"]})
            )
        kept = Known()
        for name, known in (("after a start", Known), ("in a daemon", lambda: kept)):
            show(f"{count} objects, reconciled without a change {name}", *_unchanged(root, known), 500.0)


def _applied_now(state: StateReader, commit: str) -> bool:
    """Whether a state has a commit as what is applied."""
    return state.applied_under("")[0] == commit


def webhook(count: int, times: int = 10) -> None:
    """
    From the push of a commit that changes one object of many to a bare repository, and from the webhook after it, until
    the state has it as applied. The daemon polls once in ten minutes: without the webhook nothing would come in time.
    """
    headers = {"Content-Type": "application/json"}
    os.environ["HOOK_SECRET"] = secret = token_hex(16)
    with tempfile.TemporaryDirectory() as folder:
        home, bare, work = (Path(folder) / name for name in ("home", "config.git", "work"))
        for each in (home, bare, work):
            each.mkdir()
        git(bare, "init", "--quiet", "--bare", "--initial-branch=main")
        git(work, "init", "--quiet", "--initial-branch=main")
        (work / "shared.yaml").write_text(SHARED)
        for n in range((count - 3) // 2):
            (work / f"order-{n}.yaml").write_text(_pair(n, apart=False))

        def push() -> str:
            git(work, "add", "--all")
            git(work, "commit", "--quiet", "--message=change")
            git(work, "push", "--quiet", str(bare), "main")
            return subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=work, text=True).strip()

        push()
        options = ("--source", str(bare), "--hook", "127.0.0.1:0", "--hook-secret", "env:HOOK_SECRET")
        with serving(home, *options, poll=600.0) as (process, said):
            until(lambda: any("is applied" in line for line in said))
            url = next(word for line in said for word in line.split() if word.startswith("http://")).rstrip(",")
            with closing(open_reader(read_settings(home, os.environ).state_url)) as state:
                pushed, hooked = [], []
                for change in range(times):
                    time.sleep(2.0)  # deliveries are answered by a look a second at most; this one comes alone
                    text = _pair(0, apart=False)
                    (work / "order-0.yaml").write_text(text if change % 2 else text.replace("lower(", "upper("))
                    began = time.perf_counter()
                    commit = push()
                    body = json.dumps({"ref": "refs/heads/main", "after": commit}).encode()
                    proof = "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest()
                    told = time.perf_counter()
                    urlopen(Request(url, body, {**headers, "X-Hub-Signature-256": proof}), timeout=10).close()  # noqa: S310
                    until(partial(_applied_now, state, commit))
                    ended = time.perf_counter()
                    pushed.append((ended - began) * 1_000)
                    hooked.append((ended - told) * 1_000)
            for name, found in (("push", pushed), ("webhook", hooked)):
                middle, most = statistics.median(found), max(found)
                line = {
                    "workload": f"{count} objects, {name} to applied",
                    "ms": round(middle, 1),
                    "most_ms": round(most, 1),
                }
                print(json.dumps(line | {"times": times, "limit_ms": 5_000.0}), flush=True)
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM"))
            print(json.dumps({"workload": f"{count} objects, memory", "peak_mb": peak}))


def _unchanged(root: Path, known: Callable[[], Known]) -> tuple[list[float], list[float]]:
    """Milliseconds of the clock and of the processor to bring a commit that changes nothing, as the daemon does."""
    settings = read_settings(root, os.environ)
    wall, busy = [], []
    with workflow.engine(settings) as engine:
        workflow.validate(settings, known=known())
        for _ in range(5):
            began, used = time.perf_counter(), time.process_time()
            validation = workflow.validate(settings, known=known())
            plan = workflow.plan(settings, head=Revision("0" * 40, dirty=False), validation=validation)
            assert plan.empty
            apply_plan(engine.facilities, plan, lambda _: None)
            wall.append((time.perf_counter() - began) * 1_000)
            busy.append((time.process_time() - used) * 1_000)
    return wall, busy


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else "all"
    if what in {"run", "all"}:
        run()
    if what in {"scheduled", "all"}:
        scheduled(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    if what in {"failing", "all"}:
        failing()
    if what in {"objects", "all"}:
        objects(int(sys.argv[2]) if len(sys.argv) > 2 else 1_000, apart="apart" in sys.argv[3:])
    if what in {"webhook", "all"}:
        webhook(int(sys.argv[2]) if len(sys.argv) > 2 else 1_000)
