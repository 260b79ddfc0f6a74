"""What both ends of a flow are opened with."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from syncline.executor.flows import instance, opening
from syncline.executor.flows.applied import Applied
from syncline.executor.flows.opening import Opener
from syncline.model.key import ObjectKey
from syncline.planner.compiled import compile_flows
from syncline.sdk.keep import Keep
from syncline.secrets.contract import Sessions
from syncline.settings import read_settings
from tests.repository import CUSTOMERS, desired

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from syncline.sdk.source import Instance


def test_rows_are_read_back_with_the_patience_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading what is at a destination waits for a system that fails as long as all else that the opener opens."""
    found = desired(CUSTOMERS)
    applied = Applied(1, "r", "p", {}, found, compile_flows(found))
    item = applied.flow(ObjectKey.parse("acme/Import/customers"))
    resolve: Any = None
    opened: list[Instance] = []

    def open_rows(instance: Instance, *_: object) -> Any:
        opened.append(instance)

    runtime = replace(opening._runtime(item.flow.target), open_rows=open_rows)
    monkeypatch.setattr(opening, "_runtime", lambda _: runtime)
    opener = Opener(item, applied, read_settings(tmp_path, {}), resolve, patience=lambda: False)

    opener.rows(("id",), ("id",))

    assert [instance.patience() for instance in opened] == [False]


def test_whoever_resolves_at_the_same_time_has_the_same_logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two that ask first, one makes the sessions and both have them: none is left that nobody ends."""
    made = []

    class Slow(Sessions):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)
            time.sleep(0.1)  # the other one asks meanwhile

    monkeypatch.setattr(instance, "Sessions", Slow)
    settings = read_settings(tmp_path, {})
    with Keep() as keep, ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: instance.resolver(settings, keep), range(2)))

    assert len(made) == 1
