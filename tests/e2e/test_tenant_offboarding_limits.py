"""What an offboarding must not take away, and what it must not say: others' tables, flows that run, who came back."""

from __future__ import annotations

import datetime as dt
import shutil
import sqlite3
import subprocess
import zipfile

import pytest

from syncline import workflow
from syncline.executor.flows.former import versions
from syncline.executor.progress import Silent
from syncline.model.errors import Invalid, Stalled, SynclineError
from syncline.model.key import ObjectKey
from syncline.secrets.keys import ring
from syncline.secrets.keys.ring import KeyRing
from syncline.state.open import open_store
from syncline.tenancy.offboarding import Wanted, expect, offboard
from tests.e2e import house
from tests.e2e.leaving import commit, git, left, lived_in, retired, statement, wanted

NAMES = ("tenant", "source", "mapping", "warehouse", "sync")


def destinations_of(done):
    return {step.subject: step for step in done.steps if step.what == "destination"}


def count(path, table):
    database = sqlite3.connect(path)
    try:
        ((found,),) = database.execute(f'SELECT count(*) FROM "{table}"').fetchall()
        return found
    finally:
        database.close()


def test_a_table_that_another_tenant_writes_stays(tmp_path):
    """A tenant that was renamed goes on with the table: it keeps its rows, and their ownership, without the former."""
    root = tmp_path / "repo"
    root.mkdir()
    texts = dict(house.Scenario("upsert").texts)
    texts["warehouse.yaml"] = texts["warehouse.yaml"].replace(", tenant: acme", "")
    texts["sync.yaml"] = texts["sync.yaml"].replace("read: full", "read: full, deletion: delete")
    settings = house.build(root, texts)
    (root / ".gitignore").write_text(".syncline/\n*.db\ndata/\n")
    git(root, "init", "-q")
    house.customers(root, 20)
    commit(root, "Acme")
    workflow.apply(settings)
    workflow.run(settings, house.FLOW, progress=Silent())
    for name in NAMES:
        if name != "warehouse":
            path = root / f"{name}.yaml"
            path.write_text(path.read_text().replace("acme", "acme-eu").replace("deletion: delete", "deletion: retain"))
    commit(root, "Acme is acme-eu")
    workflow.apply(settings, allow_deletes=True)
    workflow.run(settings, ObjectKey("acme-eu", "Sync", "customers"), progress=Silent())
    rows, owned = count(root / "warehouse.db", "customers"), count(root / "warehouse.db", "_syncline_tables")
    assert rows
    assert owned

    done, _ = offboard(settings, "acme", wanted(settings), lambda _: None)

    assert done.finished
    assert destinations_of(done)["acme/Sync/customers"].message == "rows stay, since another flow writes them"
    assert count(root / "warehouse.db", "customers") == rows
    assert count(root / "warehouse.db", "_syncline_tables") == owned
    again = workflow.run(settings, ObjectKey("acme-eu", "Sync", "customers"), progress=Silent())
    assert again.receipt is not None


def test_a_flow_that_is_busy_is_not_given_up(tmp_path):
    """What only has to be waited for is tried again, whatever --give-up says."""
    settings = retired(lived_in(tmp_path / "repo"))
    store = open_store(settings.state_url)
    try:
        with store.lease("run/acme/Sync/customers", "somebody's run"):
            done, proof = offboard(settings, "acme", wanted(settings, give_up=True), lambda _: None)
    finally:
        store.close()
    assert destinations_of(done)["acme/Sync/customers"].state == "failed"
    assert (done.finished, proof) == ("", b"")
    assert left(settings)[1]
    done, _ = offboard(settings, "acme", wanted(settings), lambda _: None)
    assert destinations_of(done)["acme/Sync/customers"].state == "done"


def came_back(settings, texts):
    for name, text in texts.items():
        (settings.root / f"{name}.yaml").write_text(text)
    commit(settings.root, "Acme is back")
    workflow.apply(settings)


def texts_of(settings):
    return {name: (settings.root / f"{name}.yaml").read_text() for name in NAMES}


def test_who_came_back_is_exported_anew(tmp_path):
    """What is left unfinished isn't gone on with after the tenant was there again: its new runs get an archive first."""
    settings = lived_in(tmp_path / "repo")
    texts = texts_of(settings)
    retired(settings)
    database = settings.root / "warehouse.db"
    database.rename(tmp_path / "away.db")
    database.mkdir()
    done, _ = offboard(settings, "acme", wanted(settings), lambda _: None)
    assert not done.finished
    first = (tmp_path / "acme.zip").read_bytes()
    database.rmdir()
    (tmp_path / "away.db").rename(database)
    came_back(settings, texts)
    run = workflow.run(settings, house.FLOW, progress=Silent()).record.id
    retired(settings)
    before = left(settings)

    with pytest.raises(Invalid, match="would be written over"):
        offboard(settings, "acme", wanted(settings), lambda _: None)
    assert left(settings) == before
    again, proof = offboard(settings, "acme", Wanted(tmp_path / "again.zip"), lambda _: None)

    assert again.id != done.id
    assert statement(proof)["predicate"]["outcome"] == "deleted"
    assert (tmp_path / "acme.zip").read_bytes() == first
    assert run in zipfile.ZipFile(tmp_path / "again.zip").read("state/runs.jsonl").decode()


def test_what_is_gone_on_with_has_the_archive_that_it_wrote(tmp_path):
    """Another path for the archive, into which nothing would be written, is refused."""
    settings = retired(lived_in(tmp_path / "repo"))
    database = settings.root / "warehouse.db"
    database.rename(tmp_path / "away.db")
    database.mkdir()
    offboard(settings, "acme", wanted(settings), lambda _: None)
    with pytest.raises(Invalid, match="is not the archive that was written"):
        offboard(settings, "acme", Wanted(tmp_path / "again.zip"), lambda _: None)
    assert left(settings)[1]


def test_a_hold_is_lifted_by_coming_back_without_it(tmp_path):
    """As the documentation says: declared again without the hold, and retired again, all of it goes."""
    hold = "{flows: [Sync/cust*], reason: case 7, owner: legal, until: 2999-01-01}"
    settings = lived_in(tmp_path / "repo", tenant=house.TENANT.replace("spec: {", f"spec: {{holds: [{hold}], "))
    texts = texts_of(settings)
    retired(settings)
    _, proof = offboard(settings, "acme", wanted(settings), lambda _: None)
    assert statement(proof)["predicate"]["outcome"] == "held"
    came_back(settings, texts | {"tenant": house.TENANT})
    retired(settings)
    done, proof = offboard(settings, "acme", Wanted(tmp_path / "again.zip"), lambda _: None)
    assert done.finished
    assert statement(proof)["predicate"]["outcome"] == "deleted"
    assert left(settings) == ({}, False)


@pytest.mark.parametrize("when", ["export", "destination"])
def test_what_is_applied_meanwhile_stays(tmp_path, when):
    """After the export, an apply that declares the tenant ends the offboarding; later, an apply has to wait."""
    settings = lived_in(tmp_path / "repo")
    texts = texts_of(settings)
    retired(settings)
    refused: list[str] = []

    def told(step):
        if step.what == when and not refused:
            try:
                came_back(settings, texts)
                refused.append("")
            except SynclineError as error:
                refused.append(error.code)

    if when == "export":
        with pytest.raises(Invalid, match="still applied"):
            offboard(settings, "acme", wanted(settings), told)
        assert refused == [""]
        assert left(settings)[1]
        assert any(one.key == house.FLOW for one in workflow.objects(settings))
    else:
        offboard(settings, "acme", wanted(settings), told)
        assert refused == ["SYN610"]
        assert left(settings) == ({}, False)


def test_what_cant_be_read_isnt_exported_as_if_it_were(tmp_path):
    """Keys that can't be reached end the offboarding before anything goes: the archive would be without the records."""
    settings = retired(lived_in(tmp_path / "repo"))
    before = left(settings)

    def away(*_):
        raise Stalled("the KMS doesn't answer", code="SYN805")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KeyRing, "opening", away)
        with pytest.raises(Stalled, match="KMS"):
            offboard(settings, "acme", wanted(settings), lambda _: None)
    assert left(settings) == before
    assert not (tmp_path / "acme.zip").exists()


def test_versions_are_whole_or_refused(tmp_path):
    """Manifests in the style of JSON are exported, too; where Git lacks an object, the export is refused."""
    settings = lived_in(tmp_path / "repo")
    (settings.root / "zebra.yaml").write_text(
        '{"apiVersion": "syncline/v1", "kind": "Policy", "metadata": {"tenant" : "acme", "name": "x"}, "spec": {}}'
    )
    commit(settings.root, "In JSON")
    found = list(versions(settings.root, "acme"))
    assert "zebra.yaml" in {version["file"] for version in found}
    (settings.root / "zebra.yaml").unlink()
    commit(settings.root, "Without")
    assert list(versions(settings.root, "acme")) == found
    blob = subprocess.check_output(["git", "-C", settings.root, "rev-parse", "HEAD~1:zebra.yaml"], text=True).strip()
    (settings.root / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(Stalled, match="git"):
        list(versions(settings.root, "acme"))


def test_only_an_applied_commit_says_what_it_was(tmp_path):
    """--from takes no commit that was never applied: its manifests went by no policy and no approval."""
    settings = retired(lived_in(tmp_path / "repo"))
    with pytest.raises(Invalid, match="never applied"):
        expect(settings, "acme", "0" * 40)
    applied = subprocess.check_output(["git", "-C", settings.root, "rev-parse", "HEAD~1"], text=True).strip()
    assert expect(settings, "acme", applied[:10]).revision == applied
    git(settings.root, "checkout", "-q", "-b", "aside", applied)
    (settings.root / "note.txt").write_text("x")
    commit(settings.root, "Aside")
    git(settings.root, "checkout", "-q", "-")
    with pytest.raises(Invalid, match="never applied"):
        expect(settings, "acme", "aside")


def left_in(path):
    database = sqlite3.connect(path)
    try:
        return [
            name
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE name LIKE '\\_syncline%' ESCAPE '\\'")
        ]
    finally:
        database.close()


@pytest.mark.parametrize("known", [True, False])
def test_flows_that_left_first_are_taken_out_too(tmp_path, known):
    """What a flow that was retired by an earlier commit left at its destination goes; or, where no commit says, is told."""
    settings = lived_in(tmp_path / "repo")
    if not known:
        row = ("acme", "Sync", "lost", house.FLOW.name)
        state = sqlite3.connect(settings.home / "state.db")
        state.execute("UPDATE runs SET name = ? WHERE tenant = ? AND kind = ? AND name = ?", (row[2], *row[:2], row[3]))
        state.commit()
        state.close()
    (settings.root / "sync.yaml").unlink()
    commit(settings.root, "The flow goes")
    workflow.apply(settings, allow_deletes=True)
    for name in NAMES:
        (settings.root / f"{name}.yaml").unlink(missing_ok=True)
    commit(settings.root, "The tenant goes")
    workflow.apply(settings, allow_deletes=True)

    done, proof = offboard(settings, "acme", wanted(settings), lambda _: None)

    if known:
        assert destinations_of(done)["acme/Sync/customers"].state == "done"
        assert statement(proof)["predicate"]["outcome"] == "deleted"
        assert not left_in(settings.root / "warehouse.db")
    else:
        assert (destinations_of(done)["acme/Sync/lost"].state, done.finished) == ("failed", "")
        _, proof = offboard(settings, "acme", wanted(settings, give_up=True), lambda _: None)
        assert statement(proof)["predicate"]["outcome"] == "incomplete"


def written(settings, **texts):
    """Files have these texts, without one they are gone; and that is applied, of a commit where there is Git."""
    for name, text in texts.items():
        path = settings.root / f"{name}.yaml"
        path.write_text(text) if text else path.unlink()
    if (settings.root / ".git").exists():
        commit(settings.root, "Changed")
    workflow.apply(settings, allow_deletes=True)


@pytest.mark.parametrize("deletion", ["retain", "delete"])
def test_what_git_no_longer_has_is_taken_out_by_what_was_kept(tmp_path, deletion):
    """A flow that was retired is known by the state, also where its commits aren't here: its destination is left, not told."""
    settings = lived_in(tmp_path / "repo", flow=f"deletion: {deletion}")
    written(settings, sync="")
    (settings.root / ".gitignore").write_text(".syncline/\n*.db\ndata/\nother/\nlake/\n# none\n")
    for folder in [*(settings.root / ".git").iterdir()]:
        shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
    (settings.root / ".git").rmdir()
    git(settings.root, "init", "-q")
    commit(settings.root, "A clone without what was before")
    workflow.apply(settings)
    for name in NAMES:
        (settings.root / f"{name}.yaml").unlink(missing_ok=True)
    commit(settings.root, "The tenant goes")
    workflow.apply(settings, allow_deletes=True)

    done, proof = offboard(settings, "acme", wanted(settings), lambda _: None)

    assert destinations_of(done)["acme/Sync/customers"].state == "done"
    assert statement(proof)["predicate"]["outcome"] == "deleted"
    assert not left_in(settings.root / "warehouse.db")


@pytest.mark.parametrize("known", ["in Git", "in a folder"])
def test_each_table_that_a_name_stood_for_is_taken_out(tmp_path, known):
    """Tables that a flow wrote before it was led elsewhere go by what it declared then; also where nothing was ever in Git."""
    settings = (
        lived_in(tmp_path / "repo", flow="deletion: delete") if known == "in Git" else outside_git(tmp_path / "repo")
    )
    text, warehouse = ((settings.root / f"{name}.yaml").read_text() for name in ("sync", "warehouse"))
    written(settings, sync=text.replace("warehouse/customers", "warehouse/others").replace("delete", "retain"))
    workflow.run(settings, house.FLOW, progress=Silent())
    written(settings, warehouse=warehouse.replace("warehouse.db", "elsewhere.db"))
    workflow.run(settings, house.FLOW, progress=Silent())
    written(settings, **dict.fromkeys(NAMES, ""))

    fates = expect(settings, "acme").flows
    done, proof = offboard(settings, "acme", wanted(settings), lambda _: None)

    assert len(fates) == 3
    assert {step.state for step in destinations_of(done).values()} == {"done"}
    assert sorted(step.message for step in destinations_of(done).values()) == [
        "rows stay (deletion: retain)", "rows stay (deletion: retain)", "the table is gone"
    ]  # fmt: skip
    assert statement(proof)["predicate"]["outcome"] == "deleted"
    assert left(settings) == ({}, False)
    assert count(settings.root / "warehouse.db", "others") == count(settings.root / "elsewhere.db", "others") > 0
    for name in ("warehouse.db", "elsewhere.db"):
        assert not left_in(settings.root / name)
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        count(settings.root / "warehouse.db", "customers")


def outside_git(root):
    """A tenant whose flow has run, in a folder without a repository."""
    root.mkdir()
    texts = dict(house.Scenario("upsert").texts)
    texts["sync.yaml"] = texts["sync.yaml"].replace("read: full", "read: full, deletion: delete")
    settings = house.build(root, texts)
    house.customers(root, 20)
    workflow.apply(settings)
    workflow.run(settings, house.FLOW, progress=Silent())
    return settings


def test_a_kill_while_keys_go_is_gone_on_from(tmp_path):
    """Keys that hang on the tenant's go before it; the name can be used again, and a proof doesn't overlook them."""
    settings = retired(
        lived_in(tmp_path / "repo", tenant=house.TENANT.replace("spec: {", "spec: {keys: {rotation: 365d}, "))
    )
    KeyRing.open(settings.keys).renew("acme", dt.timedelta(days=1), dt.datetime.now(dt.UTC))

    class Killed(BaseException):
        pass

    def killed(*_, **__):
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ring, "shutil", type("Shutil", (), {"rmtree": staticmethod(killed)}))
        with pytest.raises(Killed):
            offboard(settings, "acme", wanted(settings), lambda _: None)
    assert KeyRing.open(settings.keys).remains("acme")

    _, proof = offboard(settings, "acme", wanted(settings), lambda _: None)

    said = statement(proof)["predicate"]
    assert (said["outcome"], said["found"]["key"]) == ("deleted", False)
    assert not [p for name in ("parts", "seals", "tenants") for p in (settings.keys / name).glob("acme*")]
    keys = KeyRing.open(settings.keys)
    assert keys.unseal("acme", keys.seal("acme", b"x", "y"), "y") == b"x"


def test_reading_makes_no_key(tmp_path):
    """Looking at what a destroyed key sealed makes none for the name, and what hangs on it goes without it, too."""
    keys = KeyRing.open(tmp_path / "keys")
    sealed = keys.seal("acme", b"x", "y")
    keys.envelope("acme", "a part")
    part = next((tmp_path / "keys" / "parts" / "acme").glob("*.key"))
    data = part.read_bytes()
    keys.destroy("acme")
    with pytest.raises(Stalled, match="destroyed on"):
        keys.opening("acme", "a part").open(sealed, "y")
    assert not keys.exists("acme")
    part.parent.mkdir()
    part.write_bytes(data)
    assert keys.remains("acme") == 1
    assert keys.destroy("acme")
    assert (keys.remains("acme"), keys.destroy("acme")) == (0, False)
