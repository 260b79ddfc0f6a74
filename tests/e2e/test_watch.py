"""Policy inside runs: classes that nobody declared stop a batch before it is written, where they may not flow."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.mapping.columns import bind
from syncline.model.errors import Denied
from syncline.model.key import ObjectKey
from syncline.model.run import RunState
from syncline.model.schema import STRING, Field, Schema
from tests.e2e.house import audit_events
from tests.repository import CUSTOMERS, edited, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncline.executor.work import RunResult
    from syncline.model.forecast import Forecast
    from syncline.settings import Settings

FLOW = ObjectKey("acme", "Import", "customers")
#: The tenant keeps card numbers from everywhere, and has them looked for.
CARDS = edited(
    "tenant.yaml",
    "spec:\n",
    "spec:\n  classes: [{classes: [pci.*], deny: ['*'], unless: [drop, mask]}]\n  detect: [{class: pci.pan, form: card}]\n",
)


def home(tmp_path: Path, texts: Mapping[str, str], names: list[str]) -> Settings:
    """The applied repository, with a customer of each name."""
    settings = write(tmp_path, texts)
    (tmp_path / "data").mkdir()
    rows = [f"{n},{name},c{n}@example.com" for n, name in enumerate(names)]
    (tmp_path / "data" / "customers.csv").write_text("\n".join(["id,name,email", *rows]) + "\n")
    workflow.apply(settings, workflow.plan(settings))
    return settings


def ran(settings: Settings) -> RunResult:
    return workflow.run(settings, FLOW, progress=Silent())


def written(settings: Settings) -> int:
    path = settings.root / "warehouse.db"
    with closing(sqlite3.connect(path)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE name = 'customers'").fetchall()
        return database.execute("SELECT count(*) FROM customers").fetchone()[0] if tables else 0


def test_a_card_number_in_a_field_that_nobody_classified_stops_the_batch(tmp_path: Path) -> None:
    """Nothing of the batch is written; the error names the field and the class and not the number; the log has it."""
    settings = home(tmp_path, CARDS, ["Anna", "call me: card 4111 1111 1111 1111", "Bo"])
    with pytest.raises(Denied) as caught:
        ran(settings)

    assert caught.value.code == "SYN516"
    assert "1 values of name that look like pci.pan, which nothing declares" in caught.value.message
    assert "4111" not in caught.value.message
    assert [d.code for d in caught.value.diagnostics] == ["SYN502"]
    assert written(settings) == 0
    (record,) = workflow.runs(settings, FLOW, 5)
    assert (record.state, record.error_code) == (RunState.failed, "SYN516")
    decided = [e for e in audit_events(settings) if e["metadata"]["event_code"] == "policy.decision"]
    details = [(e["status_code"], e["unmapped"]["details"]) for e in decided]
    assert [(s, d["rules"]) for s, d in details if d["at"] == "batch"] == [("denied", ["classes"])]


def test_a_masked_field_passes_and_so_does_a_number_that_is_no_card(tmp_path: Path) -> None:
    """A field under protection isn't looked at, and sixteen digits without a check digit are no card number."""
    masked = edited("mapping.yaml", "- {to: name, from: name}", "- {to: name, from: name, protect: mask}", CARDS)

    assert ran(home(tmp_path / "masked", masked, ["4111 1111 1111 1111"])).receipt.counts.written == 1
    assert ran(home(tmp_path / "other", CARDS, ["4111 1111 1111 1112"])).receipt.counts.written == 1


def test_a_column_of_numbers_is_looked_at_as_texts_are(tmp_path: Path) -> None:
    """A card number that a mapping makes a decimal, with its month of expiry in the note beside it, is stopped too."""
    number = edited(
        "mapping.yaml", "- {to: name, from: name}", '- {to: name, from: name, type: "decimal(19,0)"}', CARDS
    )

    for texts, value in ((number, "4111111111111111"), (CARDS, "4111111111111111 12/27")):
        settings = home(tmp_path / value[-5:].replace("/", ""), texts, [value])
        with pytest.raises(Denied) as caught:
            ran(settings)
        assert caught.value.code == "SYN516"
        assert written(settings) == 0


def test_what_is_found_and_allowed_is_told_in_the_receipt(tmp_path: Path) -> None:
    """Where policy has nothing against the class, the run goes on, and its receipt says what was found."""
    texts = edited("tenant.yaml", "spec:\n", "spec:\n  detect: [{class: pii.email, form: email}]\n")
    texts = edited("mapping.yaml", "class: pii.email, ", "", texts)
    receipt = ran(home(tmp_path, texts, ["Anna", "Bo"])).receipt

    assert receipt.notes[-1] == ("policy allowed 2 values of email that look like pii.email, which nothing declares")


def test_the_manifest_that_forgot_a_class_is_caught_abroad(tmp_path: Path) -> None:
    """Residency holds for e-mail addresses although the mapping forgot to say that they are some."""
    texts = edited("tenant.yaml", "spec:\n", "spec:\n  detect: [{class: pii.email, form: email}]\n")
    texts = edited("mapping.yaml", "class: pii.email, ", "", texts)
    texts = edited("files.yaml", "region: eu-west, config: {path", "region: us-east, config: {path", texts)
    settings = home(tmp_path, texts, ["Anna"])
    with pytest.raises(Denied, match="carries pii.email to us-east"):
        ran(settings)

    assert written(settings) == 0


@pytest.mark.parametrize(("share", "stops"), [("1", True), ("50%", True), ("51%", False), ("2", False)])
def test_fewer_values_than_asked_for_do_not_count(tmp_path: Path, share: str, stops: bool) -> None:
    """`atLeast` bounds what a coincidence may do: a count, or a share of a batch's values."""
    texts = edited("tenant.yaml", "form: card", f"form: card, atLeast: {share}", CARDS)
    settings = home(tmp_path, texts, ["4111111111111111", "Anna"])
    if stops:
        with pytest.raises(Denied):
            ran(settings)
    else:
        assert ran(settings).receipt.counts.written == 2


def test_an_import_that_is_checked_first_writes_nothing_at_all(tmp_path: Path) -> None:
    """With validate: before-commit, what a later batch holds keeps the first one from being written too."""
    texts = edited("import.yaml", "write: upsert", "write: upsert, validate: before-commit", CARDS)
    names = [f"Name {n}" for n in range(40_000)] + ["4111111111111111"]
    settings = home(tmp_path, texts, names)
    with pytest.raises(Denied):
        ran(settings)

    assert written(settings) == 0


def test_a_class_that_the_source_declares_when_it_is_open_is_judged(tmp_path: Path) -> None:
    """What a connector says of its fields only once it is open counts as if it had been declared."""
    abroad = edited("files.yaml", "region: eu-west, config: {path", "region: us-east, config: {path")
    texts = edited("mapping.yaml", "class: pii.email, ", "", abroad)
    settings = home(tmp_path, texts, ["Anna"])
    with workflow.engine(settings) as engine:
        item = engine.applied().flow(FLOW)
        watch = engine.watch(item, engine.applied())
        plain = tuple(Field(name, STRING) for name in ("id", "name", "email"))
        watch.source(bind(item.compiled, Schema(plain), None))
        told = (*plain[:2], Field("email", STRING, data_class="pii.email"))
        with pytest.raises(Denied, match="carries pii.email to us-east"):
            watch.source(bind(item.compiled, Schema(told), None))


def test_a_rehearsal_is_denied_what_its_run_would_be(tmp_path: Path) -> None:
    """What is declared and not yet applied is watched as a run is, so that nobody learns it only afterwards."""
    settings = home(tmp_path, CARDS, ["Anna", "4111 1111 1111 1111"])
    with pytest.raises(Denied, match="pci.pan") as caught:
        workflow.rehearse(settings, FLOW, progress=Silent())

    assert caught.value.code == "SYN516"


def looked(how: str, settings: Settings) -> tuple[str, ...]:
    """The notes of a run, or of one of the ways to see beforehand what it would do."""
    match how:
        case "preview":
            return workflow.preview(settings, FLOW, limit=10).notes
        case "compare":
            return workflow.compare(settings, FLOW, progress=Silent()).notes
        case "rehearse":
            return workflow.rehearse(settings, FLOW, progress=Silent()).notes
        case "plan":
            return forecast(settings).notes
        case _:
            return ran(settings).receipt.notes


def forecast(settings: Settings) -> Forecast:
    """What a plan that changes the flow says of its first records."""
    path = settings.root / "import.yaml"
    text = path.read_text()
    path.write_text(text.replace("write: upsert", "write: upsert, progressDeadline: 5m"))
    assert path.read_text() != text
    (found,) = workflow.plan(settings, data=10).data
    return found


WAYS = ["preview", "compare", "rehearse", "run"]


@pytest.mark.parametrize("how", WAYS)
def test_every_look_gives_the_answer_that_the_run_gives(tmp_path: Path, how: str) -> None:
    """A preview, a comparison and a rehearsal are denied what the run is, by the same rules and in the same words."""
    settings = home(tmp_path, CARDS, ["Anna"])
    ran(settings)
    found = "call me: card 4111 1111 1111 1111"
    (tmp_path / "data" / "customers.csv").write_text(
        f"id,name,email\n0,Anna,c0@example.com\n1,{found},c1@example.com\n"
    )
    with pytest.raises(Denied) as caught:
        looked(how, settings)

    assert (caught.value.code, [d.code for d in caught.value.diagnostics]) == ("SYN516", ["SYN502"])
    assert "1 values of name that look like pci.pan, which nothing declares" in caught.value.message
    assert "4111" not in caught.value.message


def test_a_plan_says_what_its_run_would_be_denied(tmp_path: Path) -> None:
    """A plan with data tells it of the flow, and what it can tell of others isn't kept back."""
    found = forecast(home(tmp_path, CARDS, ["Anna", "4111 1111 1111 1111"]))

    assert found.problem.startswith("SYN516 policy denies acme/Import/customers, by 1 values of name")
    assert "4111" not in found.problem


@pytest.mark.parametrize("how", [*WAYS, "plan"])
def test_every_look_tells_what_is_found_and_allowed(tmp_path: Path, how: str) -> None:
    """Where policy has nothing against the class, the looks have the note that the receipt of the run has."""
    texts = edited("tenant.yaml", "spec:\n", "spec:\n  detect: [{class: pii.email, form: email}]\n")
    texts = edited("mapping.yaml", "class: pii.email, ", "", texts)
    settings = home(tmp_path, texts, ["Anna", "Bo"])
    ran(settings)

    assert "policy allowed 2 values of email that look like pii.email, which nothing declares" in looked(how, settings)


@pytest.mark.parametrize("how", ["preview", "plan"])
@pytest.mark.parametrize(("rows", "judged"), [(9, True), (11, False), (300, False)])
def test_a_share_is_not_judged_by_a_few_of_many(tmp_path: Path, how: str, rows: int, judged: bool) -> None:
    """
    Ten records of many are no share of a batch: that values were found among them is said, with how many, and that it
    isn't judged. Where there are no more records, it is judged as the run judges it.
    """
    texts = edited("tenant.yaml", "form: card", "form: card, atLeast: 10%", CARDS)
    names = ["4111 1111 1111 1111", *(f"Name {n}" for n in range(rows - 1))]
    settings = home(tmp_path, texts, names)
    if how == "plan":
        found = forecast(settings)
        denied, notes = found.problem, found.notes
    else:
        denied, notes = "", ()
        try:
            notes = looked(how, settings)
        except Denied as error:
            denied = f"{error.code} {error.message}"

    assert ("SYN516 policy denies" in denied) == judged
    told = "1 of 10 values of name look like pci.pan, which nothing declares: too few to judge `atLeast: 10%` by"
    assert any(note.startswith(told) for note in notes) == (not judged)


def test_enough_of_a_part_are_judged(tmp_path: Path) -> None:
    """A hundred values are a share, of however many records there are."""
    texts = edited("tenant.yaml", "form: card", "form: card, atLeast: 10%", CARDS)
    names = ["4111 1111 1111 1111" if n % 5 == 0 else f"Name {n}" for n in range(300)]
    with pytest.raises(Denied):
        workflow.preview(home(tmp_path, texts, names), FLOW, limit=100)


def test_without_detection_values_are_not_looked_at(tmp_path: Path) -> None:
    """A tenant that declares nothing pays nothing, and keeps what it has."""
    assert ran(home(tmp_path, CUSTOMERS, ["4111111111111111"])).receipt.counts.written == 1


def test_what_one_batch_was_denied_all_are(tmp_path: Path) -> None:
    """Batches are mapped side by side: one that was denied first doesn't let another with the same class through."""
    settings = home(tmp_path, CARDS, ["Anna"])
    with workflow.engine(settings) as engine:
        item = engine.applied().flow(FLOW)
        watch = engine.watch(item, engine.applied())
        frame = pl.DataFrame({"id": [1], "name": ["4111111111111111"], "email": ["a@b.example"]})
        for _ in range(3):
            with pytest.raises(Denied):
                watch.batch(frame)
