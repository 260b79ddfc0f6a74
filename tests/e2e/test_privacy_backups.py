"""What backups have of a person who was erased: sealed rejects and images, whose keys are destroyed."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import sys
from contextlib import closing

import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from syncline import privacy, workflow
from syncline.cli.main import main
from syncline.executor.batches.rejects import unseal
from syncline.executor.image_keys import images_of
from syncline.executor.progress import Silent
from syncline.executor.services.facilities import open_facilities
from syncline.model.errors import Stalled
from syncline.model.key import ObjectKey
from syncline.model.subject import Subject
from tests import warm
from tests.e2e import house
from tests.e2e.subjects import ADA, DATA, MAPPING, lived_in, rejects


def blobs(settings):
    """Sealed rejects as a backup of the state has them."""
    with open_facilities(settings) as facilities:
        return [sealed for run in facilities.store.runs(house.FLOW, 20) for sealed in facilities.store.rejects(run.id)]


def unreadable(settings, kept):
    """Of each of them, the code of why it can't be opened; empty where it can."""
    found: list[str] = []
    with open_facilities(settings) as facilities:
        for sealed in kept:
            try:
                unseal(facilities.keys, house.FLOW, sealed)
            except Stalled as error:
                found.append(error.code)
            else:
                found.append("")
    return found


RESEALING = """
import os, signal, sys
from pathlib import Path
from syncline import privacy
from syncline.executor.privacy import subjects
from syncline.model.subject import Subject
from tests.e2e import house

at, real = sys.argv[2], subjects.seal

def sealed(*args):
    made = real(*args)
    if at == "before it is kept":
        os.kill(os.getpid(), signal.SIGKILL)
    return made

def destroyed(*args):
    os.kill(os.getpid(), signal.SIGKILL)

subjects.seal = sealed
subjects.destroy_keys = destroyed
privacy.erase(house.settings_of(Path(sys.argv[1])), "acme", Subject("customer", "Ada@example.com"), lambda _: None)
"""


@pytest.mark.parametrize("at", ["", "before it is kept", "before keys are destroyed"])
def test_what_backups_have_of_rejects_is_unreadable(tmp_path, at):
    """
    The run's rejects as they were can't be opened any more, by their destroyed key; those of others are sealed anew, and
    go on to be read. So also where it was killed in between.
    """
    settings = lived_in(tmp_path, house.Scenario("upsert"))
    backup = blobs(settings)
    assert unreadable(settings, backup) == [""]
    if at:
        child = warm.run([sys.executable, "-c", RESEALING, str(tmp_path), at], check=False, timeout=120)
        assert child.returncode == -signal.SIGKILL
    assert privacy.erase(settings, "acme", ADA, lambda _: None).complete
    assert unreadable(settings, backup) == ["SYN823"]
    assert unreadable(settings, blobs(settings)) == [""]
    assert [json.loads(record)["id"] for record in rejects(settings)] == ["4"]
    again = blobs(settings)
    privacy.erase(settings, "acme", Subject("customer", "eve@example.com"), lambda _: None)
    assert unreadable(settings, again) == ["SYN823"]


def test_rejects_of_an_earlier_version_are_still_read(tmp_path):
    """What was sealed with the tenant's key opens, and is sealed with a key of its own where somebody is erased from it."""
    settings = lived_in(tmp_path, house.Scenario("upsert"))
    (sealed,) = blobs(settings)
    with open_facilities(settings) as facilities:
        plain = json.dumps([to_builtins(reject) for reject in unseal(facilities.keys, house.FLOW, sealed)]).encode()
        blob = facilities.keys.seal("acme", plain, f"rejects/{sealed.run}/{sealed.sequence}")
        facilities.store.put_rejects(replace(sealed, blob=blob))
    assert len(rejects(settings)) == 2
    privacy.erase(settings, "acme", ADA, lambda _: None)
    assert blobs(settings)[0].blob.startswith(b"SYR1")
    assert [json.loads(record)["id"] for record in rejects(settings)] == ["4"]


@pytest.mark.parametrize("retired", [False, True])
def test_what_backups_have_of_images_is_unreadable(tmp_path, retired):
    """Images of an import to undo go with the person's rows, and the key that sealed them; also where another writes now."""
    scenario = house.Scenario("upsert", kind="Import")
    texts = scenario.texts | {"mapping.yaml": MAPPING}
    texts["sync.yaml"] = texts["sync.yaml"].replace("write: upsert", "write: upsert, rollback: {window: 7d}")
    settings = house.build(tmp_path, texts)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "customers.csv").write_text(DATA.replace('"1,000"', "1.00"))
    workflow.apply(settings)
    run = workflow.run(settings, scenario.key, progress=Silent()).record.id
    with open_facilities(settings) as facilities:
        assert facilities.keys.exists("acme", images_of(run))
        kept = facilities.keys.envelope("acme", images_of(run)).seal(b"as it was", "image")
    if retired:
        (tmp_path / "sync.yaml").write_text(texts["sync.yaml"].replace("name: customers", "name: again"))
        workflow.apply(settings, allow_deletes=True)
        again = ObjectKey("acme", "Import", "again")
        workflow.run(settings, again, progress=Silent())
        assert [place.key for place in privacy.expect(settings, "acme", ADA).places] == [again]
    privacy.erase(settings, "acme", ADA, lambda _: None)
    with open_facilities(settings) as facilities:
        assert not facilities.keys.exists("acme", images_of(run))
        with pytest.raises(Stalled, match="destroyed"):
            facilities.keys.opening("acme", images_of(run)).open(kept, "image")


def test_a_restored_backup_of_the_state_does_not_have_them(tmp_path, capsys, monkeypatch):
    """
    The state's files from before are put back as a whole, beside the keys as they are now: the commands that show
    rejects say that they were destroyed, and the person's values are in nothing that they print.
    """
    settings = lived_in(tmp_path, house.Scenario("upsert"))
    monkeypatch.chdir(tmp_path)
    backup = tmp_path / "backup"
    backup.mkdir()
    copied = sqlite3.connect(backup / "state.db")
    with closing(copied), closing(sqlite3.connect(settings.home / "state.db")) as source:
        source.backup(copied)
    run = next(run.id for run in workflow.runs(settings, None, 20) if run.counts.rejected)
    assert main(["runs", "rejects", run, "-o", "json"]) == 0
    assert "ada@example.com" in capsys.readouterr().out
    assert privacy.erase(settings, "acme", ADA, lambda _: None).complete

    for path in settings.home.glob("state.db*"):
        path.unlink()
    shutil.copy2(backup / "state.db", settings.home / "state.db")
    code = main(["runs", "rejects", run, "-o", "json"])
    said = "".join(capsys.readouterr())

    assert code != 0
    assert "SYN823" in said
    assert "destroyed" in said
    assert "ada@example.com" not in said.lower()


def test_a_backup_of_the_keys_put_back_does_not_open_them(tmp_path):
    """
    State and keys from before, but for the key-encryption keys, are put over what there is now, file by file: what was
    erased says that it was destroyed, and everything else of the tenant opens.
    """
    settings = lived_in(tmp_path, house.Scenario("upsert"))
    backup, kept = tmp_path / "backup", blobs(settings)
    shutil.copytree(settings.keys, backup, ignore=shutil.ignore_patterns("kek", "keks", "*.kek"))
    assert privacy.erase(settings, "acme", ADA, lambda _: None).complete

    left = blobs(settings)
    for path in (path for path in backup.rglob("*") if path.is_file()):
        back = settings.keys / path.relative_to(backup)
        if not back.exists():
            shutil.copy2(path, back)

    assert unreadable(settings, kept) == ["SYN823"]
    assert unreadable(settings, left) == [""]
    assert [json.loads(record)["id"] for record in rejects(settings)] == ["4"]
