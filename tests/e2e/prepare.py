"""What each kill starts from: the folder, the state and the destination as they were before."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from syncline import workflow
from syncline.executor.progress import Silent
from tests.e2e import house
from tests.e2e.writing import control
from tests.look import Look
from tests.repository import write

if TYPE_CHECKING:
    from collections.abc import Callable

    from syncline.settings import Settings
    from tests.e2e.crash import Spec

OLD = "CREATE TABLE {} (id bigint PRIMARY KEY, name text, email text, balance numeric(12,2), born date)"
OLD_ROWS = "INSERT INTO {} VALUES (1, 'old', 'old@example.com', 1.00, '2000-01-01'), (2, 'old', null, 2.00, null)"


def reset(spec: Spec, scenario: house.Scenario, do: Callable[[Callable[[], object]], tuple[bool, Any]]) -> None:
    """Puts everything back. What a child must do is done by `do`."""
    fresh = (
        not spec.template.exists()
        or bool(spec.state)
        or bool((scenario.deletes or scenario.absent) and scenario.schema)
    )
    shutil.rmtree(spec.work, ignore_errors=True)
    if scenario.jobs:
        control(scenario.api, "reset")
    if scenario.schema:
        _reset_schema(scenario.destination, scenario.schema, old=scenario.write == "replace", rule=scenario.rule)
    if spec.state:
        _drop_state(spec.state)
    if not fresh:
        if scenario.sink:
            control(scenario.sink, "back")
        shutil.copytree(spec.template, spec.work)
        return
    if scenario.sink:
        control(scenario.sink, "reset")
    spec.work.mkdir(parents=True)
    do(lambda: _build(spec, scenario))
    if scenario.sink:
        control(scenario.sink, "keep")
    if not spec.state:
        shutil.copytree(spec.work, spec.template, dirs_exist_ok=True)


def _build(spec: Spec, scenario: house.Scenario) -> None:
    if spec.what == "apply":
        _build_for_apply(spec)
        return
    house.build(spec.work, scenario.texts)
    settings = spec.settings()
    workflow.apply(settings, step=lambda _: None)
    if scenario.deletes:
        control(scenario.api, "reset")
        workflow.run(settings, scenario.key, progress=Silent())
        _note(spec, settings)
        control(scenario.api, "grow")
        return
    if scenario.absent:
        house.customers(spec.work, 60, malformed=False)
        workflow.run(settings, scenario.key, progress=Silent())
        _note(spec, settings)
        lines = house.customers(spec.work, 40, generation=2, malformed=False)
        os.utime(lines, (1_700_000_000, 1_700_000_000))
        return
    if scenario.destination in {"sqlite", "parquet", "jsonl"} and scenario.write != "append":
        house.customers(spec.work, 10, generation=2)
        workflow.run(settings, scenario.key, progress=Silent())
        _note(spec, settings)
    for path in _apart(house.customers(spec.work, 40), spec.files):
        os.utime(path, (1_700_000_000, 1_700_000_000))  # part of a position
    if spec.what == "retry":
        workflow.run(settings, scenario.key, progress=Silent())
        fixed = scenario.texts["mapping.yaml"].replace(", check: {format: email}", "")
        house.build(spec.work, {**scenario.texts, "mapping.yaml": fixed})
        workflow.apply(settings, step=lambda _: None)
        _note(spec, settings)


def _apart(path: Path, files: int) -> list[Path]:
    """The file as several, which have as many lines each."""
    if files == 1:
        return [path]
    head, *lines = path.read_text().splitlines(keepends=True)
    path.unlink()
    each = -(-len(lines) // files)
    found = [path.with_name(f"customers-{number}.csv") for number in range(files)]
    for number, one in enumerate(found):
        one.write_text(head + "".join(lines[number * each : (number + 1) * each]))
    return found


def _note(spec: Spec, settings: Settings) -> None:
    """Notes the runs that were there before the one that is killed."""
    Path(spec.root, "before").write_text("\n".join(r.id for r in Look(settings.state_url).runs()))


def _build_for_apply(spec: Spec) -> None:
    """A repository that is applied and has run, then edited: creates, updates, a move, deletes, and a cursor reset."""
    before = house.Scenario("upsert").texts
    other = before["sync.yaml"].replace("name: customers", "name: {}").replace("warehouse/customers", "warehouse/{}")
    named = {f"{n}.yaml": other.replace("{}", n) for n in ("first", "second", "third")}
    write(spec.work, {**before, **named})
    settings = spec.settings()
    house.customers(spec.work, 10)
    workflow.apply(settings, step=lambda _: None)
    for key in (k.key for k in Look(settings.state_url).objects() if k.key.kind == "Sync"):
        workflow.run(settings, key, progress=Silent())
    after = {**before, **named}
    del after["second.yaml"]  # a delete
    after["third.yaml"] = after["third.yaml"].replace("warehouse/third", "warehouse/elsewhere")  # a reset
    after["moved.yaml"] = after.pop("first.yaml").replace("{name: first, tenant: acme}", MOVED)  # a move
    after["mapping.yaml"] = after["mapping.yaml"].replace("{to: name, from: name}", "{to: name, from: upper(name)}")
    after["fourth.yaml"] = other.replace("{}", "fourth")  # a create
    write(spec.work, after)


MOVED = "{name: renamed, tenant: acme, moved: {name: first}}"


def _reset_schema(url: str, schema: str, *, old: bool, rule: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
        if old or rule:
            connection.execute(f'CREATE SCHEMA "{schema}"')
            connection.execute(OLD.format(f'"{schema}".{house.TABLE}'))
            connection.execute(OLD_ROWS.format(f'"{schema}".{house.TABLE}'))
            if rule:
                connection.execute(f'ALTER TABLE "{schema}".{house.TABLE} ADD {rule}')


def _drop_state(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS syncline CASCADE")
