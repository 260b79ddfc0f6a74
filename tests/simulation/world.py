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
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from syncline.daemon.workers import Start
from syncline.model.errors import Again
from syncline.settings import read_settings
from syncline.state import database as databases
from syncline.state.sql import SqlStore
from tests.simulation import checks, exchanged, happens
from tests.simulation.declared import Declared, Remote
from tests.simulation.kernel import Kernel, Killed, Process
from tests.simulation.places import Application, Good, Row, Warehouse
from tests.simulation.primitives import Event
from tests.simulation.substitutes import patched, substituted

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from syncline.settings import Settings
    from syncline.state.store import AppliedObject

#: Moments at which worlds begin: before clocks change, before a leap day, at no special time.
BEGINNINGS = ("2026-03-28T23:20", "2026-10-24T23:10", "2028-02-28T23:30", "2026-12-31T22:50", "2026-06-10T00:15")
#: Virtual seconds within which everything must be as declared once nothing is wrong any more.
CONVERGES = 3_600.0


_close = databases.Database.close  # which is exchanged in a world, whose processes share connections
#: Share of points at which something happens to a process, if only that others go first.
_OFTEN = 0.15
_NAMES = list(happens.HAPPENS)
_WEIGHTS = list(accumulate(often for often, _ in happens.HAPPENS.values()))


@dataclass
class Fire:
    """
    A start of a flow by a schedule, as far as it came. `runs` that ended well for it, by id, and those that did `early`,
    before its instant; `over`: how it ended.
    """

    runs: set[str] = field(default_factory=set)
    early: set[str] = field(default_factory=set)
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
            stack.enter_context(patched(*exchanged.patches(self)))
            database = databases.open_sqlite(self.settings.home / "state.db")
            stack.callback(_close, database)
            self.reader = stack.enter_context(database.engine.connect())
            self.store = SqlStore(database)
            stack.callback(self._end)
            flows = {name: (name, "") for name in self.application.records}
            self.remote.push(Declared(flows, ("steady", "patient")), "")
            for _ in range(self.chance.randint(1, 2)):
                happens.start(self)
            yield self

    def step(self) -> None:
        """One thing that happens, and what follows from it for a while."""
        what = self.chance.choices(_NAMES, cum_weights=_WEIGHTS)[0]
        drawn = random.Random(self.chance.getrandbits(32))
        if what not in self.without:
            happens.HAPPENS[what][1](self, drawn)
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
        if not any(process.name.startswith("daemon") for process in self.alive()):
            happens.start(self)
        applied = self.store.applied_under()[0]
        head = self.remote.commits[self.remote.head]
        if head.declared.broken or (applied and not self.remote.descends(head.id, applied)):
            good = replace(head.declared, broken=False)
            self.remote.push(good, applied if applied and not self.remote.descends(head.id, applied) else head.id)
            self.look_soon_all()
        end = self.kernel.now + CONVERGES
        why: list[str] = ["nothing was looked at"]
        while why:
            checks.hold(self.kernel.now < end, f"an hour after the last fault: {'; '.join(why)}")
            self._go_on(100.0)
            why = list(checks.unsettled(self))
            # The deletes of several commits came together, or a commit was being applied that history went past meanwhile:
            # somebody says that it is meant.
            if any("SYN642" in one or "SYN663" in one for one in why) and not self.meant:
                self.meant = True
                happens.apply_by_hand(self, self.remote.head, allow_deletes=True)
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

    # --- processes

    def process_named(self, name: str) -> Process:
        self.numbers += 1
        process = Process(f"{name}-{self.numbers}", self.numbers)
        if name != "daemon":
            self.daemons.append((process, Event(self.kernel)))
        return process

    def alive(self) -> list[Process]:
        return [process for process, stop in self.daemons if process.alive and not stop.is_set()]

    def die(self, process: Process, *, silent: bool) -> None:
        self.say(f"{process.name} is killed{', and nobody hears of it' if silent else ''}")
        if silent:
            self.silent.add(process.number)
        if self.kernel.process is process:
            process.dead = True
            raise Killed
        self.kernel.kill(process)

    def stall(self, process: Process, seconds: float) -> None:
        self.say(f"{process.name} is stopped for {seconds:g} s")
        process.frozen_until = self.kernel.now + seconds

    def look_soon_all(self) -> None:
        """As by a webhook."""
        for process, _ in self.daemons:
            if process.alive and process in self.looking:
                self.looking[process]()

    looking: dict[Process, Callable[[], None]] = field(default_factory=dict)

    # --- points

    def _at_point(self, process: Process, name: str) -> None:
        if not self.faults:
            return
        chance = self.kernel.chance
        if self.losing and name.startswith("answer") and chance.random() < self.losing:
            self.say(f"lost: the {name}")
            raise Again("no answer came", code="SYN480")
        drawn = chance.random()
        if drawn >= _OFTEN:
            return
        # What comes between a run's begin and its end is worth more than the many looks at the state.
        danger = self.danger * (6 if name.endswith("destination") else 1)
        if drawn < danger and "kill" not in self.without:
            self.say(f"at the point: {name}")
            self.die(process, silent=chance.random() < 0.3)
        elif drawn < 2 * danger and "freeze" not in self.without:
            self.say(f"at the point: {name}")
            self.stall(process, chance.choice([5.0, 100.0, 200.0]))
            self.kernel.yield_turn()
        else:
            self.kernel.yield_turn()

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
