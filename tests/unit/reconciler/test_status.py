"""Statuses as they are kept: after runs and checks, of what stands on what, and of the source."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.executor.work import Work
from syncline.model.condition import ConditionType, Truth
from syncline.model.diagnostic import Diagnostic, Place, Severity
from syncline.model.errors import Again, Invalid, Stalled, SynclineError
from syncline.model.key import ObjectKey
from syncline.reconciler import status
from syncline.reconciler.conditions import Moment, well
from tests import repository
from tests.look import Look

IMPORT = ObjectKey("acme", "Import", "customers")
CRM = ObjectKey("acme", "Integration", "crm")
WAREHOUSE = ObjectKey("acme", "Integration", "warehouse")
SOURCE = status.SOURCE
OUT = Again("no answer", code="SYN700")


@pytest.fixture
def engine(tmp_path):
    """An engine over an applied repository that imports customers."""
    settings = repository.write(tmp_path, repository.CUSTOMERS)
    workflow.apply(settings)
    with workflow.engine(settings) as made:
        yield made


def ready(engine, key):
    """Whether an object is ready, and why."""
    found = engine.facilities.store.statuses([key])[key].condition(ConditionType.ready)
    return str(found.status), found.reason


def ran(engine, trigger="manual"):
    """Runs the import; the error, if it failed."""
    try:
        engine.run(Work(IMPORT, trigger=trigger), Silent())
    except SynclineError as error:
        return error
    return None


def test_the_end_of_a_run_is_kept(engine, tmp_path):
    """A failed run makes its flow not ready, and its integrations due for a look; one that succeeds proves them all."""
    store = engine.facilities.store
    store.change_statuses([CRM], lambda before: ([well(before[CRM], Moment(dt.datetime.now(dt.UTC)), "Checked")], ()))
    error = ran(engine)
    assert error is not None
    assert ready(engine, IMPORT) == ("False", "RunFailed")
    message = store.statuses()[IMPORT].condition(ConditionType.ready).message
    assert message.startswith(f"[{error.code}] ")
    assert CRM in store.due("9999")

    status.after_check(store, engine.applied(), CRM, OUT)
    assert ready(engine, IMPORT) == ("False", "DependencyNotReady")

    repository.customers(tmp_path, 5, bad=(2,))
    assert ran(engine) is None
    assert ready(engine, IMPORT) == ("True", "RunHadRejects")
    assert ready(engine, CRM) == ("True", "RunSucceeded")
    assert not [key for key, found in store.statuses().items() if found.failing]
    told = [(e.key, e.reason) for e in store.events() if e.key in {IMPORT, CRM} and e.reason != "Applied"]
    assert told == [
        (IMPORT, "RunStarted"),
        (IMPORT, "RunFailed"),
        (CRM, "Unreachable"),
        (IMPORT, "RunStarted"),
        (IMPORT, "RunSucceededWithRejects"),
        (CRM, "Ready"),
    ]


def test_a_run_that_changes_nothing_writes_no_status(engine, tmp_path):
    """The status of a flow that goes on succeeding stays as it is, byte by byte."""
    repository.customers(tmp_path, 3)
    ran(engine)
    before = engine.facilities.store.statuses()
    ran(engine)

    assert engine.facilities.store.statuses() == before


def test_a_repaired_system_frees_what_waited(engine):
    """A check that fails makes what stands on the integration wait; one that succeeds frees it; each is told once."""
    store = engine.facilities.store
    for error in (OUT, OUT, None):
        status.after_check(store, engine.applied(), WAREHOUSE, error)
        found = ready(engine, WAREHOUSE), ready(engine, IMPORT)
        assert found[0] == (("False", "Unreachable") if error else ("True", "Checked"))
        assert found[1] == (("False", "DependencyNotReady") if error else ("True", "DependencyReady"))
    assert store.statuses()[WAREHOUSE].attempts == 0
    assert [e.reason for e in store.events(WAREHOUSE)] == ["Applied", "Unreachable", "Ready"]
    assert [e.reason for e in store.events(IMPORT)] == ["Applied"]


def test_a_changed_declaration_starts_anew(engine, tmp_path):
    """What was known of an object's earlier declaration is forgotten with it; what is known of others stays."""
    store = engine.facilities.store
    ran(engine)
    status.after_check(store, engine.applied(), WAREHOUSE, OUT)
    repository.write(tmp_path, repository.edited("files.yaml", "path: warehouse.db", "path: other.db"))
    settings = engine.facilities.settings
    workflow.apply(settings)

    assert ready(engine, WAREHOUSE) == ("True", "Applied")
    assert store.statuses()[WAREHOUSE].retry
    assert ready(engine, IMPORT)[0] == "Unknown"


def test_a_suspension_is_shown_until_its_last_day_is_over(tmp_path):
    """A suspended flow says so, with the reason; after its last day it doesn't any more."""
    for until, holds in (("9999-01-01", Truth.true), ("2020-01-01", Truth.false)):
        text = f"suspend: {{reason: moving house, until: {until}}}}}"
        edited = repository.edited("import.yaml", "write: upsert}", f"write: upsert, {text}")
        settings = repository.write(tmp_path, edited)
        workflow.apply(settings)
        found = Look(settings.state_url).statuses()[IMPORT].condition(ConditionType.suspended)

        assert found.status is holds
        assert ("moving house until 9999-01-01" in found.message) == (holds is Truth.true)


def test_a_source_says_why_its_commit_is_not_applied(engine):
    """A commit that is refused is a status of the source, told once however often it is looked at, until one is good."""
    store = engine.facilities.store
    for _ in range(3):
        status.source_failed(store, "bad", Invalid("not valid", code="SYN200"), after=None)
    found = store.statuses()[SOURCE]
    assert (found.failing, found.holds(ConditionType.stalled), found.retry) == (True, True, "")
    status.source_failed(store, "", OUT, after=30)
    assert store.statuses()[SOURCE].holds(ConditionType.reconciling)
    assert store.statuses()[SOURCE].retry
    for _ in range(2):
        status.source_well(store, "good")

    assert not store.statuses()[SOURCE].failing
    assert [e.reason for e in store.events(SOURCE)] == ["Applied", "Invalid", "Again", "Ready"]


@pytest.mark.parametrize(
    ("code", "reason"), [("SYN662", "RefNotFound"), ("SYN663", "HistoryRewritten"), ("SYN664", "NotSigned")]
)
def test_what_halts_a_source_has_a_reason_of_its_own(engine, code, reason):
    """It stays so until a person acts, under a reason that programs can go by."""
    store = engine.facilities.store
    status.source_failed(store, "bad", Stalled("no", code=code), after=None)
    found = store.statuses()[SOURCE]
    assert (found.condition(ConditionType.ready).reason, found.holds(ConditionType.stalled)) == (reason, True)


def test_a_refused_commit_names_its_findings(engine):
    """Codes and places of the first errors, so that whoever reads the status knows where to look; no texts, no warnings."""
    store = engine.facilities.store
    found = [Diagnostic("SYN621", f"a text {n}", Place("a.yaml", n, 1)) for n in range(1, 6)]
    warned = Diagnostic("SYN100", "beside the point", Place("b.yaml", 1, 1), Severity.warning)
    status.source_failed(store, "bad", Invalid("no", code="SYN642", diagnostics=[warned, *found]), after=None)

    ready = store.statuses()[SOURCE].condition(ConditionType.ready)
    assert ready.message == "[SYN642] no: SYN621 at a.yaml:1:1, SYN621 at a.yaml:2:1, SYN621 at a.yaml:3:1 and 2 more"


def test_secrets_are_looked_for_without_being_read(tmp_path: Path):
    """Objects without secrets have none to miss; a missing one is named by its reference."""
    desired = repository.desired(repository.CUSTOMERS)
    settings = repository.write(tmp_path, repository.CUSTOMERS)
    assert status.secrets_error(settings, desired.objects[CRM]) is None


def test_one_who_applied_while_another_did_keeps_what_is_there_now(engine, tmp_path):
    """Statuses of what somebody else retired in between aren't kept, and those of what they added stay."""
    settings, store = engine.facilities.settings, engine.facilities.store
    before = engine.applied().desired
    (path,) = (path for path in tmp_path.glob("*.yaml") if "kind: Import" in path.read_text())
    path.write_text(path.read_text().replace("name: customers,", "name: clients,"))
    workflow.apply(settings)
    renamed = ObjectKey("acme", "Import", "clients")
    assert renamed in store.statuses()

    status.after_apply(settings, store, before, "", {}, patient=False)
    assert renamed in store.statuses()
    assert IMPORT not in store.statuses()
