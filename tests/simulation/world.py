"""A world in one seed: daemons on one state, the systems around them, and what happens to all of it.

`step` draws one thing that happens, lets everybody go on for a while, and looks whether what must always hold still
does (`checks.py`). `settle` ends all faults, and gives the daemons the time they need to be where they should be.
"""

from __future__ import annotations

import datetime as dt
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from syncline import workflow
from syncline.audit.journal import Journal
from syncline.daemon import loop, notifier
from syncline.daemon.workers import Start, Workers
from syncline.executor import opening
from syncline.executor.engine import Engine
from syncline.executor.inspect import Inspector
from syncline.manifests import load
from syncline.manifests.repository import Revision
from syncline.model.errors import Again, SynclineError
from syncline.reconciler.apply import apply_plan
from syncline.sdk.reached import Reached
from syncline.settings import read_settings
from syncline.state import database as databases
from syncline.state.database import Database
from syncline.state.process import Process as Identity
from syncline.state.sql import SqlStore
from tests.simulation import checks
from tests.simulation.declared import WHEN, Declared, Followed, Remote
from tests.simulation.kernel import Kernel, Killed, Process
from tests.simulation.places import Application, Good, Reading, Row, Warehouse, Writing
from tests.simulation.primitives import Event
from tests.simulation.substitutes import patched, substituted

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy import Engine as DatabaseEngine

    from syncline.manifests.flow import Side
    from syncline.sdk.source import Instance, SourceRequest
    from syncline.settings import Settings
    from syncline.state.store import AppliedObject

#: Moments at which worlds begin: before clocks change, before a leap day, at no special time.
BEGINNINGS = ("2026-03-28T23:20", "2026-10-24T23:10", "2028-02-28T23:30", "2026-12-31T22:50", "2026-06-10T00:15")
#: What can happen in a step, and how often beside the others.
WEIGHTS = {
    "pass": 130,
    "records": 50,
    "commit": 7,
    "kill": 4,
    "start": 6,
    "freeze": 5,
    "stop": 3,
    "jump": 3,
    "warehouse": 5,
    "application": 4,
    "repository": 2,
    "state": 4,
    "ask": 2,
    "rewrite": 1,
}
#: Seconds of virtual time, in the place of those that are made for real time.
TICK, STAND_BY, LEASE, POLL = 20.0, 30.0, 60.0, 300.0
#: Most daemons at once.
DAEMONS = 3
#: Virtual seconds within which everything must be as declared once nothing is wrong any more.
CONVERGES = 3_600.0


#: Engines by file, with all statements that they have composed: composing those costs more than running them.
_ENGINES: dict[Path, DatabaseEngine] = {}
#: What files declare, for all processes and seeds: trees lie in folders that are named by what is in them.
_loaded = lru_cache(maxsize=128)(load._load_file)


@dataclass
class Fire:
    """A start of a flow by a schedule, as far as it came. `runs` that ended well for it, by id; `over`: how it ended."""

    runs: set[str] = field(default_factory=set)
    over: str = ""


@dataclass(eq=False)
class World:
    """Everything in a simulation. `without` are things that don't happen, for finding out which matter."""

    seed: int
    folder: Path
    without: frozenset[str] = frozenset()
    trace: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.kernel = Kernel(random.Random(self.seed + 1))
        self.kernel.at_point = self._at_point
        self.begins = dt.datetime.fromisoformat(self.chance.choice(BEGINNINGS)).replace(tzinfo=dt.UTC).timestamp()
        self.jumped = 0.0
        self.latest = 0.0
        self.meant = False
        self.putting: AppliedObject | None = None
        self.one_machine = self.chance.random() < 0.5
        self.danger = self.chance.choice([0.0, 0.002, 0.006])  # of dying or freezing at a point
        self.losing = 0.0  # share of answers that get lost
        self.faults = True
        self.state_down: dict[int, float] = {}
        self.silent: set[int] = set()  # processes whose death nobody hears of
        self.daemons: list[tuple[Process, Event]] = []
        self.numbers = 1
        self.steps = 0
        self.application = Application({name: [] for name in ("log", "people", "catalog")})
        self.warehouse = Warehouse()
        self.good: dict[str, Good] = {}
        self.looked_at: dict[str, tuple[str, list[Row], int, int]] = {}  # of flows, what was right already
        self.remote = Remote(self.folder / "trees")
        self.fires: dict[tuple[str, str, str], Fire] = {}
        self.running: dict[object, Start] = {}
        self.schedules = checks.Schedules()
        self.settings: Settings = read_settings(self.folder, {"SYNCLINE_ACTOR": "simulation"})
        self.operator = Process("operator", 1)
        self.store: SqlStore
        self.reader: Connection  # what everybody reads by: of all processes one does something at a time

    # --- time

    def wall(self) -> float:
        """The clock on the wall of whose turn it is."""
        process = self.kernel.process
        found = self.begins + self.kernel.now + self.jumped + (process.skew if process is not None else 0.0)
        self.latest = max(self.latest, found)
        return found

    def now(self) -> dt.datetime:
        """The clock on the wall of a machine whose clock is right."""
        return dt.datetime.fromtimestamp(self.begins + self.kernel.now + self.jumped, dt.UTC)

    def say(self, line: str) -> None:
        """Adds a line to the trace."""
        process = self.kernel.process
        self.trace.append(f"{self.now():%d %H:%M:%S} {process.name if process else '-'}: {line}")
        if "SYN999" in line:
            self.kernel.crashes.append(line)

    # --- one simulation

    @contextmanager
    def open(self) -> Iterator[World]:
        """The program in this world, and the first commit applied."""
        with ExitStack() as stack:
            stack.enter_context(substituted(self.kernel, self.wall, random.Random(self.seed + 2)))
            stack.enter_context(patched(*self._patches()))
            database = databases.open_sqlite(self.settings.home / "state.db")
            stack.callback(database.engine.dispose)
            self.reader = stack.enter_context(database.engine.connect())
            self.store = SqlStore(database)
            stack.callback(self._end)
            flows = {name: (name, "") for name in self.application.records}
            self.remote.push(Declared(flows, ("steady", "patient")), "")
            for _ in range(self.chance.randint(1, 2)):
                self._start()
            yield self

    def step(self) -> None:
        """One thing that happens, and what follows from it for a while."""
        what = self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        drawn = random.Random(self.chance.getrandbits(32))
        if what not in self.without:
            getattr(self, f"_{what}")(drawn)
        self._go_on(self.chance.choice([0.2, 1.0, 4.0, 10.0, 20.0]))
        checks.always(self)

    def settle(self) -> None:
        """Ends what is wrong, and waits until everything is as declared."""
        self.faults = False
        self.say("all faults end")
        self.losing = self.application.down_until = self.warehouse.down_until = self.remote.unreachable_until = 0.0
        self.state_down.clear()
        for process, _ in self.daemons:
            process.frozen_until = process.skew = 0.0
        # Clocks that were set back, or that differ, are right again when the last instant that was dealt with is over.
        self.jumped += max(self.latest - (self.begins + self.kernel.now + self.jumped), 0.0)
        if not any(process.name.startswith("daemon") for process in self._alive()):
            self._start()
        applied = self.store.applied_under()[0]
        head = self.remote.commits[self.remote.head]
        if head.declared.broken or (applied and not self.remote.descends(head.id, applied)):
            good = replace(head.declared, broken=False)
            self.remote.push(good, applied if applied and not self.remote.descends(head.id, applied) else head.id)
            self._look_soon_all()
        end = self.kernel.now + CONVERGES
        why: list[str] = ["nothing was looked at"]
        while why:
            checks.hold(self.kernel.now < end, f"an hour after the last fault: {'; '.join(why)}")
            self._go_on(100.0)
            why = list(checks.unsettled(self))
            if any("SYN642" in one for one in why) and not self.meant:
                self.meant = True  # the deletes of several commits came together: somebody says that they are meant
                self._apply_by_hand(self.remote.head, allow_deletes=True)
        self._go_on(60.0)
        checks.finally_(self)

    def _go_on(self, seconds: float) -> None:
        self.kernel.run(self.kernel.now + seconds)
        if self.kernel.crashes:
            raise AssertionError(self.kernel.crashes[0])

    def _end(self) -> None:
        for process, _ in self.daemons:
            if not process.dead:
                self.kernel.kill(process)

    # --- what happens

    def _pass(self, drawn: random.Random) -> None:
        del drawn

    def _records(self, drawn: random.Random) -> None:
        stream = drawn.choice(list(self.application.records))
        records = self.application.records[stream]
        for _ in range(drawn.randint(1, 6)):
            number = len(records) + 1
            key = drawn.randint(1, 9) if stream == "people" else number
            records.append((str(key), "no number" if drawn.random() < 0.05 else str(number)))

    def _commit(self, drawn: random.Random) -> None:
        head = self.remote.commits[self.remote.head]
        declared, what = self._edited(head.declared, drawn)
        commit = self.remote.push(declared, head.id)
        self.say(f"commit {commit[:12]}: {what}")
        if drawn.random() < 0.7:
            self._look_soon_all()

    def _edited(self, declared: Declared, drawn: random.Random) -> tuple[Declared, str]:
        declared = replace(declared, broken=False)
        match drawn.randint(0, 7):
            # Who renames twice before the first is applied has to keep the first name in `moved`: nobody does here.
            case 0 if self._applied(declared.flows[stream := drawn.choice(list(declared.flows))][0]):
                name = f"{stream}-{drawn.choice([n for n in '123456789' if n not in declared.flows[stream][0]])}"
                return declared.renamed(stream, name), f"{declared.flows[stream][0]} is renamed to {name}"
            case 1 | 2:
                name = drawn.choice(list(WHEN))
                kept = tuple(s for s in declared.schedules if s != name)
                if name in declared.schedules:
                    return replace(declared, schedules=kept), f"the schedule {name} is gone"
                return replace(declared, schedules=(*kept, name)), f"the schedule {name} is there"
            case 3:
                stream = drawn.choice(["people", "catalog"])
                if stream in declared.flows:
                    return declared.without(stream), f"the flow of {stream} is gone"
                name = f"{stream}-{drawn.randint(1, 9)}"
                return replace(declared, flows=declared.flows | {stream: (name, "")}), f"{name} reads {stream}"
            case 4:
                return replace(declared, edition=declared.edition + 1), "another mapping"
            case 5 | 6:
                name = drawn.choice([*declared.flows, *declared.schedules])
                changed = declared.suspended ^ {name}
                return replace(declared, suspended=changed), f"{name} is {'' if name in changed else 'not '}suspended"
            case _:
                return replace(declared, broken=True), "it isn't valid"

    def _applied(self, name: str) -> bool:
        """Whether a flow of that name is applied."""
        return any(known.key.name == name for known in self.store.objects())

    def _rewrite(self, drawn: random.Random) -> None:
        head = self.remote.commits[self.remote.head]
        if not head.parent:
            return
        commit = self.remote.push(replace(head.declared, broken=False), head.parent)
        self.say(f"history is rewritten: {commit[:12]} after {head.parent[:12]}")
        if drawn.random() < 0.5:
            self._apply_by_hand(commit)

    def _apply_by_hand(self, commit: str, *, allow_deletes: bool = False) -> None:
        """As `syncline apply` in a clone: by somebody who has seen the rewrite, and means it."""
        self.say(f"somebody applies {commit[:12]} by hand")
        tree = Followed(self.remote, lambda: self.kernel.now, lambda _: None).snapshot(commit)

        def work() -> None:
            try:
                with workflow.engine(self.settings) as engine:
                    settings, head = replace(self.settings, root=tree.root), Revision(commit, dirty=False)
                    plan = workflow.plan(settings, head=head, allow_deletes=allow_deletes)
                    apply_plan(engine.facilities, plan, lambda _: None)
            except SynclineError as error:
                self.say(f"it fails: {error.code} {error.message}")

        self.kernel.spawn(self._process("by-hand"), work, "apply")

    def _kill(self, drawn: random.Random) -> None:
        if alive := self._alive():
            self._die(drawn.choice(alive), silent=drawn.random() < 0.3)

    def _start(self, drawn: random.Random | None = None) -> None:
        if len(self._alive()) >= DAEMONS:
            return
        process = self._process("daemon")
        if not self.one_machine and drawn is not None and "jump" not in self.without:
            process.skew = drawn.choice([0.0, 0.0, -2.0, 3.0, 300.0, -7200.0, 7200.0])
        self.say(f"{process.name} starts, its clock {process.skew:+g} s")
        followed = Followed(self.remote, lambda: self.kernel.now, self.kernel.point)
        stop: list[Any] = []

        def serve() -> None:
            daemon = loop.Daemon(self.settings, followed, self.say, poll=POLL, at_once=2, lease=LEASE)
            looking[process] = daemon.look_soon
            try:
                daemon.serve(stop[0])
            except SynclineError as error:  # as the command ends then, and whoever looks after it starts it again
                self.say(f"it ends: {error.code} {error.message}")

        looking = self._looking
        stop.append(Event(self.kernel))
        self.daemons.append((process, stop[0]))
        self.kernel.spawn(process, serve, "serve")

    def _freeze(self, drawn: random.Random) -> None:
        if alive := self._alive():
            self._stall(drawn.choice(alive), drawn.choice([5.0, 30.0, 60.0, 150.0]))

    def _stop(self, drawn: random.Random) -> None:
        running = [(process, stop) for process, stop in self.daemons if process.alive and not stop.is_set()]
        if len(running) > 1:
            process, stop = drawn.choice(running)
            self.say(f"{process.name} is told to stop")
            stop.set()

    def _jump(self, drawn: random.Random) -> None:
        if self.one_machine:
            by = drawn.choice([-7200.0, -60.0, -1.0, 1.0, 60.0, 3600.0, 7200.0])
            self.jumped += by
            self.say(f"the clock is set by {by:+g} s")

    def _warehouse(self, drawn: random.Random) -> None:
        if drawn.random() < 0.5:
            self.losing = drawn.choice([0.0, 0.1, 0.4])
            self.say(f"{self.losing:.0%} of answers get lost")
        else:
            self.warehouse.down_until = self.kernel.now + drawn.choice([10.0, 60.0, 200.0])
            self.say("the warehouse is out of reach")

    def _application(self, drawn: random.Random) -> None:
        self.application.down_until = self.kernel.now + drawn.choice([10.0, 60.0, 300.0])
        self.say("the application is out of reach")

    def _repository(self, drawn: random.Random) -> None:
        self.remote.unreachable_until = self.kernel.now + drawn.choice([30.0, 200.0])
        self.say("the repository is out of reach")

    def _state(self, drawn: random.Random) -> None:
        if alive := self._alive():
            process = drawn.choice(alive)
            self.state_down[process.number] = self.kernel.now + drawn.choice([1.0, 20.0, 70.0])
            self.say(f"{process.name} can't reach the state")

    def _ask(self, drawn: random.Random) -> None:
        """As `syncline run` in a process of its own."""
        from syncline.executor.progress import Silent
        from syncline.executor.work import Work
        from syncline.model.key import ObjectKey

        names = [name for name, _ in self.remote.commits[self.remote.head].declared.flows.values()]
        key = ObjectKey("acme", "Sync", drawn.choice(names))
        self.say(f"somebody runs {key}")

        def work() -> None:
            try:
                with workflow.engine(self.settings) as engine:
                    engine.run(Work(key), Silent())
            except SynclineError as error:
                self.say(f"it fails: {error.code} {error.message}")

        self.kernel.spawn(self._process("run"), work, "run")

    # --- processes

    def _process(self, name: str) -> Process:
        self.numbers += 1
        process = Process(f"{name}-{self.numbers}", self.numbers)
        if name != "daemon":
            self.daemons.append((process, Event(self.kernel)))
        return process

    def _alive(self) -> list[Process]:
        return [process for process, stop in self.daemons if process.alive and not stop.is_set()]

    def _die(self, process: Process, *, silent: bool) -> None:
        self.say(f"{process.name} is killed{', and nobody hears of it' if silent else ''}")
        if silent:
            self.silent.add(process.number)
        if self.kernel.process is process:
            process.dead = True
            raise Killed
        self.kernel.kill(process)

    def _stall(self, process: Process, seconds: float) -> None:
        self.say(f"{process.name} is stopped for {seconds:g} s")
        process.frozen_until = self.kernel.now + seconds

    def _look_soon_all(self) -> None:
        """As by a webhook."""
        for process, _ in self.daemons:
            if process.alive and process in self._looking:
                self._looking[process]()

    _looking: dict[Process, Callable[[], None]] = field(default_factory=dict)

    # --- points

    def _at_point(self, process: Process, name: str) -> None:
        if not self.faults:
            return
        chance = self.kernel.chance
        if name.startswith("answer") and self.losing and chance.random() < self.losing:
            self.say(f"lost: the {name}")
            raise Again("no answer came", code="SYN480")
        drawn = chance.random()
        # What comes between a run's begin and its end is worth more than the many looks at the state.
        danger = self.danger * (6 if name.endswith("destination") else 1)
        if drawn < danger and "kill" not in self.without:
            self.say(f"at the point: {name}")
            self._die(process, silent=chance.random() < 0.3)
        elif drawn < 2 * danger and "freeze" not in self.without:
            self.say(f"at the point: {name}")
            self._stall(process, chance.choice([5.0, 100.0, 200.0]))
            self.kernel.yield_turn()
        elif drawn < 0.15:
            self.kernel.yield_turn()

    # --- what of the program is exchanged

    def _patches(self) -> list[tuple[Any, str, Any]]:
        world, kernel = self, self.kernel
        write, opened = Database.write, databases.open_sqlite
        append, publish = Journal.append, Journal.publish
        run, offer, engine_run, put = Workers._run, Workers.offer, Engine.run, SqlStore.put_object

        def reach() -> None:
            process = kernel.process
            if process is not None and world.state_down.get(process.number, 0.0) > kernel.now:
                raise Again("the state doesn't answer", code="SYN615")

        @contextmanager
        def writing(database: Database, *, durable: bool = False) -> Iterator[Any]:
            kernel.point("write of the state")
            reach()
            with write(database, durable=durable) as connection, kernel.atomic():
                yield connection
            if world.putting is not None:
                world.schedules.put(world, world.putting)
                world.putting = None
            kernel.point("answer of the state")

        @contextmanager
        def reading(database: Database) -> Iterator[Any]:
            kernel.point("read of the state")
            reach()
            with database.translated(), kernel.atomic():
                yield world.reader

        def open_sqlite(path: Path) -> Database:
            if path not in _ENGINES:
                _ENGINES[path] = opened(path).engine
            return Database(_ENGINES[path], str(path), clock=world.state_clock)

        def close(database: Database) -> None:
            """What processes share of this one is closed at the end."""

        def journal(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any) -> Any:
                kernel.point(f"before {name}")
                with kernel.atomic():
                    found = function(*args)
                kernel.point(f"after {name}")
                return found

            return call

        def current(cls: type[Identity]) -> Identity:
            process = kernel.process or world.operator
            return cls("machine", process.number, "boot", "namespace", process.number)

        def gone(identity: Identity) -> bool:
            known = next((p for p, _ in world.daemons if p.number == identity.pid), None)
            return known is not None and not known.alive and known.number not in world.silent

        def source(instance: Instance, request: SourceRequest) -> Reading:
            del instance
            return Reading(world.application, request.stream, lambda: kernel.now, kernel.point)

        def destination(instance: Instance) -> Writing:
            del instance
            return Writing(world.warehouse, lambda: kernel.now, kernel.point)

        def runtime(side: Side) -> Any:
            del side
            return SimpleNamespace(open_source=source, open_destination=destination, transactional=True)

        def check(inspector: Inspector) -> Reached:
            name = inspector.side.integration.key.name
            down = world.application.down_until if name == "app" else world.warehouse.down_until
            kernel.point(f"look at {name}")
            if down > kernel.now:
                raise Again(f"{name} doesn't answer", code="SYN480")
            return Reached(name, "simulated", 0.0)

        def offering(workers: Workers, start: Start, concurrency: Any) -> str:
            why = offer(workers, start, concurrency)
            if why:
                world.fire(start).over = why
            return why

        def worked(workers: Workers, start: Start, given_up: float) -> str:
            world.running[kernel.current] = start
            try:
                said = run(workers, start, given_up)
            finally:
                world.running.pop(kernel.current, None)
            world.fire(start).over = said
            return said

        def ran(engine: Engine, work: Any, progress: Any) -> Any:
            start = world.running.get(kernel.current)
            result = engine_run(engine, work, progress)
            if start is not None:
                world.fire(start).runs.add(result.record.id)
            return result

        def put_object(store: SqlStore, lease: Any, apply: str, index: int, applied: Any) -> None:
            world.putting = applied
            put(store, lease, apply, index, applied)

        put_run, put_cursor = SqlStore._put_run, SqlStore._put_cursor

        def putting_run(store: SqlStore, connection: Any, record: Any) -> None:
            put_run(store, connection, record)
            checks.led(world, connection, f"run/{record.key}", f"what became of {record.id}")

        def putting_cursor(store: SqlStore, connection: Any, key: Any, checkpoint: str) -> None:
            put_cursor(store, connection, key, checkpoint)
            lease = "daemon" if key.kind == "Schedule" else f"run/{key}"
            checks.led(world, connection, lease, f"the cursor of {key}")

        return [
            (SqlStore, "_put_run", putting_run),
            (SqlStore, "_put_cursor", putting_cursor),
            (Database, "write", writing),
            (Database, "read", reading),
            (load, "_load_file", lambda root, name, _: _loaded(root, name, None)),
            (databases, "open_sqlite", open_sqlite),
            (databases, "open_sqlite_reader", open_sqlite),
            (Database, "close", close),
            (Journal, "append", journal("an append to the journal", append)),
            (Journal, "publish", journal("publishing the journal", publish)),
            (Identity, "current", classmethod(current)),
            (Identity, "gone", gone),
            (opening, "_runtime", runtime),
            (Inspector, "check", check),
            (Workers, "offer", offering),
            (Workers, "_run", worked),
            (Engine, "run", ran),
            (SqlStore, "put_object", put_object),
            (loop, "TICK", TICK),
            (notifier, "TICK", TICK),
            (loop, "STAND_BY", STAND_BY),
        ]

    def state_clock(self) -> float:
        """The clock of the state's server, or of the machine where it is a file."""
        return self.begins + self.kernel.now + (self.jumped if self.one_machine else 0.0)

    def fire(self, start: Start) -> Fire:
        """What is known of a start."""
        return self.fires.setdefault((str(start.schedule), str(start.flow), start.at.isoformat()), Fire())


def prepared(folder: Path) -> Path:
    """A folder with an empty state at the program's version, to copy: making one costs as much as a simulation."""
    from syncline.state.open import open_store

    home = folder / ".syncline"
    home.mkdir(parents=True)
    open_store(f"sqlite:///{home / 'state.db'}").close()
    return folder


def simulate(seed: int, steps: int, template: Path, folder: Path, without: frozenset[str] = frozenset()) -> World:
    """One simulation; raises what is wrong in it, with the trace so far as a note."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    world = World(seed, folder, without)
    try:
        with world.open():
            for number in range(1, steps + 1):
                world.steps = number
                world.step()
            world.settle()
    except BaseException as error:
        error.add_note("\n".join(world.trace[-400:]))
        error.steps = world.steps  # type: ignore[attr-defined]
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return world
