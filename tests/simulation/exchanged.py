"""What of the program is exchanged in a simulation: the ends that reach out of it, and places that are watched there."""

from __future__ import annotations

from contextlib import contextmanager
from copy import copy
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from syncline.audit.journal import Journal
from syncline.daemon import loop, notifier
from syncline.daemon.workers import Start, Workers
from syncline.executor.engine import Engine
from syncline.executor.flows import opening
from syncline.executor.previews.inspect import Inspector
from syncline.manifests import load
from syncline.manifests.files import SAVED
from syncline.model.errors import Again
from syncline.sdk.reached import Reached
from syncline.state import database as databases
from syncline.state.database import Database
from syncline.state.process import Process as Identity
from syncline.state.sql import SqlStore
from tests.simulation import checks
from tests.simulation.places import Reading, Writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from syncline.manifests.flow import Side
    from syncline.manifests.load import LoadResult
    from syncline.sdk.source import Instance, SourceRequest
    from tests.simulation.world import World

#: Seconds of virtual time, in the place of those that are made for real time.
TICK, STAND_BY = 20.0, 30.0

#: Databases by file, whose connections all processes share.
_DATABASES: dict[Path, Database] = {}
#: What files declare, by their names and contents, for all processes and seeds.
_LOADED: dict[tuple[str, bytes], LoadResult] = {}
_load_file = load._load_file


def patches(world: World) -> list[tuple[Any, str, Any]]:
    """What stands for what in a world, as `(owner, name, value)`."""
    kernel = world.kernel
    write, opened = Database.write, databases.open_sqlite
    append, publish = Journal.append, Journal.publish
    run, offer, engine_run, put = Workers._run, Workers.offer, Engine.run, SqlStore.put_object

    def reach() -> None:
        process = kernel.process if world.state_down else None
        if process is not None and world.state_down.get(process.number, 0.0) > kernel.now:
            raise Again("the state doesn't answer", code="SYN615")

    @contextmanager
    def writing(database: Database, *, durable: bool = False) -> Iterator[Any]:
        kernel.point("write of the state")
        reach()
        with write(database, durable=durable) as connection, kernel.atomic:
            yield connection
        if world.putting is not None:
            world.schedules.put(world, world.putting)
            world.putting = None
        kernel.point("answer of the state")

    class Looking:
        """A look at the state; no generator, as these are what most is done of."""

        def __init__(self, database: Database) -> None:
            self._translated = database.translated()

        def __enter__(self) -> Connection:
            kernel.point("read of the state")
            reach()
            kernel.atomic.__enter__()
            return world.reader

        def __exit__(self, kind: object, error: BaseException | None, where: object) -> None:
            kernel.atomic.__exit__()
            self._translated.__exit__(kind, error, where)

    def reading(database: Database) -> Looking:
        return Looking(database)

    def open_sqlite(path: Path) -> Database:
        if path not in _DATABASES:
            _DATABASES[path] = opened(path)
        database = copy(_DATABASES[path])
        database._clock = world.state_clock
        return database

    def close(database: Database) -> None:
        """What processes share of this one is closed at the end."""

    def journal(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            kernel.point(f"before {name}")
            with kernel.atomic:
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

    def loaded(root: Path, name: str, kept: object, unsaved: object) -> LoadResult:
        del kept, unsaved
        file = name, (root / name).read_bytes()
        if file not in _LOADED:
            _LOADED[file] = _load_file(root, name, None, SAVED)
        return _LOADED[file]

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
            # What a clock that is ahead made before its instant stands by itself: the start still comes, by the right clock.
            runs = world.fire(start).runs if start.at <= world.now() else world.fire(start).early
            runs.add(result.record.id)
            checks.ran(world, (str(start.schedule), str(start.flow), start.at.isoformat()), runs)
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
        (load, "_load_file", loaded),
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
