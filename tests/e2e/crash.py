"""Kills a run, a retry or an apply at its points and repairs it, in real processes; run by the tests as `python -m tests.e2e.crash SPEC`.

SPEC is JSON: `root` (a folder that is ours), `what` (`run`, `retry` or `apply`), `scenario`, and which points to try: every
`stride`-th from `first`; `twice` kills the repair, too. Where it reads several `files`, each commit makes a chapter of
its checkpoint, and only the first one is copied to the state. Prints a JSON line with the outcome of an unbroken one, then
one for each point. It forks, so nothing here may use polars before it does.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from syncline import workflow
from syncline.executor.batches import chapters, commit
from syncline.executor.batches.checkpoint import Checkpoint
from syncline.executor.engine import Engine
from syncline.executor.flows.instance import resolver
from syncline.executor.flows.sealed_ledger import ledgers
from syncline.executor.progress import Silent
from syncline.executor.retry import retry_work
from syncline.executor.services.facilities import open_facilities
from syncline.executor.work import Work
from syncline.model.run import TRANSITIONS
from syncline.reconciler.apply import apply_plan
from tests.e2e import house, prepare
from tests.e2e.fuse import Fuse, fused, fused_source, opener
from tests.look import Look, copy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from syncline.settings import Settings

BATCH_BYTES = 800  # three batches


@dataclass(frozen=True)
class Spec:
    """What to kill."""

    root: str
    what: str
    scenario: dict[str, str]
    first: int = 1
    stride: int = 1
    twice: bool = False
    deep: bool = False
    state: str = ""
    files: int = 1

    @property
    def template(self) -> Path:
        return Path(self.root) / "template"

    @property
    def work(self) -> Path:
        return Path(self.root) / "work"

    def settings(self) -> Settings:
        environ = {"SYNCLINE_STATE": self.state} if self.state else {}
        return house.settings_of(self.work, environ)


def forked(work: Callable[[], object], answer: Path) -> tuple[bool, Any]:
    """Does it in a child; whether it was killed, and what it gave."""
    answer.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        try:
            answer.write_text(json.dumps(work()))
        except BaseException:  # the parent must see it, whatever it is
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True, None
    if status != 0:
        raise SystemExit(f"a child ended by itself: {status}")
    return False, json.loads(answer.read_text())


def run_once(spec: Spec, point: int) -> list[str]:
    """One run, killed at a point (0: never); the points that it passed."""
    fuse = Fuse(point)
    settings = spec.settings()
    with open_facilities(settings) as plain:
        facilities = fused(plain, fuse)
        reads = bool(spec.scenario.get("jobs"))
        engine = Engine(facilities, resolver(settings), opener(fuse, BATCH_BYTES, deep=spec.deep, reads=reads))
        engine.run(Work(house.Scenario(**spec.scenario).key, open_source=fused_source), Silent())
    return fuse.points


def retry_once(spec: Spec, point: int) -> list[str]:
    """One retry of the first run's rejects, killed at a point; the points that it passed."""
    fuse = Fuse(point)
    settings = spec.settings()
    with open_facilities(settings) as plain:
        facilities = fused(plain, fuse)
        engine = Engine(facilities, resolver(settings), opener(fuse, BATCH_BYTES, deep=spec.deep))
        first = next(run for run in facilities.store.runs(house.FLOW) if not run.parent)
        work, record = retry_work(engine, first.id)
        result = engine.run(work, Silent())
        facilities.store.mark_retried(record.id, result.record.id)
    return fuse.points


def apply_once(spec: Spec, point: int) -> list[str]:
    """One apply of what is declared, killed at a point; the points that it passed."""
    fuse = Fuse(point)
    settings = spec.settings()
    plan = workflow.plan(settings, allow_deletes=True)
    with open_facilities(settings) as facilities:
        apply_plan(fused(facilities, fuse), plan, lambda _: None)
    return fuse.points


def applied_outcome(spec: Spec) -> dict[str, Any]:
    """What is applied, the cursors, and whether everything is closed and told."""
    settings = spec.settings()
    reader = Look(settings.state_url)
    told = [e for e in house.audit_events(settings) if e["metadata"]["event_code"] == "apply.step"]
    return {
        "objects": [[str(o.key), o.digest, o.document, o.place, o.generation] for o in reader.objects()],
        "cursors": {str(key): _cursor(copy_of(settings, key) or "") for key in reader.cursors()},
        "runs": [[str(r.key), str(r.state)] for r in reader.runs()],
        "plan": workflow.plan(settings).empty,
        "open": len(reader.unfinished_apply()),
        "told": sorted({e["unmapped"]["object"] for e in told}),
        "audit": house.audit_ok(settings),
    }


def _cursor(text: str) -> list[Any]:
    known = Checkpoint.loads(text)
    return [known.flow, known.basis, known.sequence, known.counts.read]


def killed_state(spec: Spec, scenario: house.Scenario) -> dict[str, Any]:
    """What is there right after a kill: rows and checkpoint have to agree at any moment."""
    settings = spec.settings()
    copy = copy_of(settings, scenario.key)
    with open_facilities(settings) as facilities:
        engine = Engine(facilities, resolver(settings))
        applied = engine.applied()
        item = applied.flow(scenario.key)
        opened = engine.opener(item, applied, settings, engine.resolve, facilities.keep)
        opened.ledgers = ledgers(facilities)
        destination = opened.destination()
        saved = destination.checkpoint(str(scenario.key))
        destination.close()
    known = Checkpoint.loads(copy) if copy else None
    there = Checkpoint.loads(saved) if saved else None
    found = house.rows(settings.root, scenario)
    return {
        "rows": len(found or []),
        "written": there.counts.written if there else 0,
        "done": there.done if there else False,
        "ahead": bool(known and there and known.run == there.run and known.sequence > there.sequence),
    }


def ended(spec: Spec) -> bool:
    """Whether the run that was killed had ended before: then nobody would repair it."""
    newest = Look(spec.settings().state_url).runs(house.Scenario(**spec.scenario).key, 1)
    known = Path(spec.root) / "before"
    earlier = known.read_text() if known.exists() else ""
    return bool(newest) and not TRANSITIONS[newest[0].state] and newest[0].id not in earlier


def main(text: str) -> None:
    """Tries an unbroken one, then every point."""
    spec = Spec(**json.loads(text))
    if spec.files > 1:
        chapters.ROOM = 0
        commit.COPIED = 1  # as for a long checkpoint: the state has but the first copy of it
    scenario = house.Scenario(**spec.scenario)
    runs = spec.what != "apply"
    once = {"run": run_once, "retry": retry_once, "apply": apply_once}[spec.what]
    do = partial(forked, answer=Path(spec.root) / "answer.json")

    def observed() -> Any:
        return house.outcome(spec.settings(), scenario) if runs else applied_outcome(spec)

    def repair(point: int) -> None:
        """One more try, killed at a point (0: never)."""
        if not (runs and ended(spec)):
            once(spec, point)

    def followed() -> dict[str, Any]:
        """Whoever comes next: what it finds, and what is there once it has ended what was begun."""
        between = killed_state(spec, scenario) if runs else None
        repair(0)
        return {"between": between, "outcome": observed()}

    prepare.reset(spec, scenario, do)
    points, unbroken, modules = do(lambda: [once(spec, 0), observed(), sorted(sys.modules)])[1]
    load(modules)
    tell({"points": points, "outcome": unbroken})
    for point in range(spec.first, len(points) + 1, spec.stride):
        prepare.reset(spec, scenario, do)
        found = {"point": point, "name": points[point - 1], "within": within(points[: point - 1])}
        found["killed"] = do(partial(once, spec, point))[0]
        if spec.twice:
            found["again"] = do(partial(repair, point // 2 + 1))[0]
        tell(found | do(followed)[1])


def within(points: list[str]) -> list[str]:
    """What has begun and not ended after these points: `before x` without its `after x`."""
    begun: list[str] = []
    for kind, _, name in (point.partition(" ") for point in points):
        if kind == "before":
            begun.append(name)
        elif name in begun:
            begun.remove(name)
    return begun


def load(modules: list[str]) -> None:
    """Imports what a child needed, so that the next ones have it from their start."""
    for name in modules:
        if name.partition(".")[0] != "__main__":
            with suppress(ImportError):
                importlib.import_module(name)
    for model in _models(BaseModel):
        model.model_rebuild()  # what reads a manifest is made at its first use, in each child otherwise
    gc.collect()
    gc.freeze()


def _models(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Every model of the manifests."""
    for model in base.__subclasses__():
        yield from _models(model)
        if model.__module__.startswith("syncline."):
            yield model


def tell(found: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    commit.COPY_EVERY = 0.0  # a copy after each batch, so that every order of writes is met
    commit.COPIED = sys.maxsize
    main(sys.argv[1])
