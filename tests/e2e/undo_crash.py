"""
Kills an import whose writes are kept, or its rollback, at points of it, and then undoes it and imports again; run by the
tests as `python -m tests.e2e.undo_crash SPEC`. Prints a JSON line of an unbroken one, then one for each point. It forks, so
nothing here may use polars before it does.
"""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from syncline import workflow
from syncline.executor.engine import Engine
from syncline.executor.flows.instance import resolver
from syncline.executor.progress import Silent
from syncline.executor.services.facilities import open_facilities
from syncline.executor.undo import undo_run
from syncline.executor.work import Work
from syncline.model.errors import SynclineError
from syncline.model.run import UNDOING
from tests.e2e import house
from tests.e2e.crash import forked, load
from tests.e2e.fuse import Fuse, fused, fused_source, opener
from tests.look import Look

if TYPE_CHECKING:
    from syncline.settings import Settings


@dataclass(frozen=True)
class Spec:
    """
    What to kill: `import` or `undo`, at every `stride`-th point from `first`, or from so many before the last, and near the end. `root` has a `template` of what is there
    before, whose last run is `run`; what is beside the folder is in `SCHEMA_kept`, of PostgreSQL a schema and of MariaDB a database.
    """

    what: str
    root: str
    stride: int
    first: int
    scenario: dict[str, str]
    run: str

    @property
    def house(self) -> house.Scenario:
        return house.Scenario(**self.scenario)

    @property
    def work(self) -> Path:
        return Path(self.root) / "work"

    def settings(self) -> Settings:
        return house.settings_of(self.work)


def newest(spec: Spec) -> str:
    """The last run of the import itself."""
    runs = Look(spec.settings().state_url).runs(spec.house.key)
    return next(run.id for run in runs if run.trigger != UNDOING)


def once(spec: Spec, point: int) -> list[str]:
    """What is to be killed, killed at a point (0: never); the points that it passed."""
    fuse = Fuse(point)
    settings = spec.settings()
    with open_facilities(settings) as plain:
        engine = Engine(fused(plain, fuse), resolver(settings), opener(fuse, 800, deep=True))
        if spec.what == "import":
            engine.run(Work(spec.house.key, open_source=fused_source), Silent())
        else:
            undo_run(engine, newest(spec), Silent())
    return fuse.points


def seen(spec: Spec) -> dict[str, Any]:
    """What is there."""
    runs = Look(spec.settings().state_url).runs(spec.house.key)
    counts = (runs[0].receipt or {}).get("counts", {})
    return {
        "rows": sorted(house.rows(spec.work, spec.house) or [], key=str),
        "newest": [runs[0].trigger, str(runs[0].state), counts],
        "rollbacks": sum(run.trigger == UNDOING for run in runs),
        "audit": house.audit_ok(spec.settings()),
    }


def undone(spec: Spec) -> str:
    """Undoes the last run, or ends undoing it: `done`, `not begun` where the import never was, or why not."""
    run = newest(spec)
    if spec.what == "import" and run == spec.run:
        return "not begun"
    try:
        workflow.undo(spec.settings(), run, progress=Silent())
    except SynclineError as error:
        return error.code
    return "done"


def again(spec: Spec) -> str:
    """Runs the import."""
    return str(workflow.run(spec.settings(), spec.house.key, progress=Silent()).record.state)


def reset(spec: Spec) -> None:
    """Puts the folder and the tables back as they were."""
    shutil.rmtree(spec.work, ignore_errors=True)
    shutil.copytree(Path(spec.root) / "template", spec.work)
    if spec.house.destination.startswith("mariadb:"):
        _reset_mariadb(spec.house.destination)
    elif schema := spec.house.schema:
        import psycopg
        from psycopg.sql import SQL, Identifier

        with psycopg.connect(spec.house.destination, autocommit=True) as connection:
            connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(schema)))
            connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(schema)))
            kept = "SELECT tablename FROM pg_tables WHERE schemaname = %s"
            for (name,) in connection.execute(kept, (schema + "_kept",)).fetchall():
                here, there = Identifier(schema, name), Identifier(schema + "_kept", name)
                connection.execute(SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(here, there))
                connection.execute(SQL("INSERT INTO {} SELECT * FROM {}").format(here, there))


def _reset_mariadb(url: str) -> None:
    name = urlsplit(url).path[1:]
    with closing(house.mariadb(url)) as connection, connection.cursor() as cursor:
        for database in (name, f"{name}_kept"):
            cursor.execute(f"SHOW TABLES IN {database}")
            for (table,) in cursor.fetchall():
                if database == name:
                    cursor.execute(f"DROP TABLE {name}.{table}")
                else:
                    cursor.execute(f"CREATE TABLE {name}.{table} LIKE {database}.{table}")
                    cursor.execute(f"INSERT INTO {name}.{table} SELECT * FROM {database}.{table}")


def rehearsed(spec: Spec) -> list[str]:
    """Undoes and imports again after an unbroken one; the modules that all of it took."""
    undone(spec)
    again(spec)
    return sorted(sys.modules)


def followed(spec: Spec) -> dict[str, Any]:
    """Whoever comes next: what it finds, what is there once it has undone that, and after another import."""
    between, ended, after = seen(spec)["rows"], undone(spec), seen(spec)
    rerun = again(spec)
    return {"between": between, "undone": ended, **after, "rerun": rerun, "last": seen(spec)["rows"]}


def main(text: str) -> None:
    """An unbroken one, then every point."""
    spec = Spec(**json.loads(text))
    do = partial(forked, answer=Path(spec.root) / "answer.json")
    reset(spec)
    points = do(partial(once, spec, 0))[1]
    tell({"points": len(points), **do(partial(seen, spec))[1]})
    load(do(partial(rehearsed, spec))[1])
    first = spec.first if spec.first > 0 else len(points) + spec.first
    # One is always after the destination's commit and before the run is recorded as ended.
    for point in sorted({*range(first, len(points) + 1, spec.stride), len(points) - 3}):
        reset(spec)
        killed = do(partial(once, spec, point))[0]
        tell({"point": points[point - 1], "killed": killed, **do(partial(followed, spec))[1]})


def tell(line: dict[str, Any]) -> None:
    """A line for the test."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
