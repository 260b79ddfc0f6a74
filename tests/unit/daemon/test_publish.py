"""The snapshot that a daemon publishes: renewed when the state moves or an hour has passed, never half-written."""

from __future__ import annotations

import pytest

from syncline import workflow
from syncline.daemon.publish import RENEW, Publisher
from syncline.reconciler.signed import read_snapshot
from tests import repository


@pytest.fixture
def house(tmp_path):
    """An engine over a repository that is applied, and its settings."""
    settings = repository.write(tmp_path / "home", repository.CUSTOMERS)
    workflow.apply(settings)
    with workflow.engine(settings) as engine:
        yield settings, engine.facilities


def test_it_is_written_when_the_state_moves_and_each_hour(house, tmp_path):
    """Nothing happens while nothing has changed; an apply or an hour writes it anew."""
    settings, facilities = house
    path, now = tmp_path / "state.snapshot", [0.0]
    publisher = Publisher(path, lambda _: None, lambda: now[0])
    publisher.publish(facilities)
    first = path.stat().st_ino
    publisher.publish(facilities)
    assert path.stat().st_ino == first

    repository.write(
        settings.root, repository.edited("mapping.yaml", "{to: name, from: name}", "{to: title, from: name}")
    )
    workflow.apply(settings)
    publisher.publish(facilities)
    second = path.stat().st_ino
    assert second != first
    assert read_snapshot(path, workflow.snapshot_key(settings)).serial == 6

    now[0] = RENEW
    publisher.publish(facilities)
    assert path.stat().st_ino != second
    assert path.stat().st_mode & 0o777 == 0o644
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == [path.name]


def test_what_keeps_it_from_being_written_is_told_once(house, tmp_path):
    """A folder that isn't there is a line for people, once; the snapshot is written when it is."""
    _, facilities = house
    said: list[str] = []
    path = tmp_path / "missing" / "state.snapshot"
    publisher = Publisher(path, said.append)
    publisher.publish(facilities)
    publisher.publish(facilities)
    assert said == [f"SYN321 the snapshot {path} can't be written: No such file or directory"]

    path.parent.mkdir()
    publisher.publish(facilities)
    assert path.exists()
    assert len(said) == 1
