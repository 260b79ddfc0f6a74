"""What receipts of runs tell of a person: notes quote answers of APIs, and what a page was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from syncline.executor.batches.at_rest import open_receipt, seal_receipt
from syncline.executor.flows.rows_left import RUNS
from syncline.executor.privacy.subjects import value_at
from syncline.model.errors import Stalled
from syncline.model.spelling import stands_in
from syncline.secrets.keys.envelope import DESTROYED

if TYPE_CHECKING:
    from syncline.executor.engine import Engine
    from syncline.executor.privacy.subjects import Place
    from syncline.model.subject import Subject

#: What a receipt has in the place of a note that named the person.
_GONE: Final = "a note that named somebody who was erased"


def erase_notes(engine: Engine, place: Place, subject: Subject) -> None:
    """
    Takes out what receipts of a flow's runs tell that names the person. A receipt of a version that sealed nothing is
    sealed by the way.
    """
    if place.source:
        return
    store, keys, tenant = engine.facilities.store, engine.facilities.keys, place.flow.tenant
    written = value_at(place, subject, keys)
    names = {subject.value, *((written,) if isinstance(written, str) else ())}
    for run in store.runs(place.flow, RUNS):
        if run.receipt is None:
            continue
        try:
            receipt = open_receipt(lambda: keys, tenant, run.receipt)
        except Stalled as error:
            if error.code != DESTROYED:
                raise
            continue  # nobody can read it
        before = list(receipt.get("notes", ()))
        notes = [_GONE if any(stands_in(note, name) for name in names) else note for note in before]
        if notes != before or receipt is run.receipt:
            store.put_run(replace(run, receipt=seal_receipt(keys, tenant, receipt | {"notes": notes})))
