"""What the state says, as who acts may see it: what is applied, what ran, how it stands. Asking changes nothing."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager, closing, suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from syncline.model.errors import Invalid, SynclineError

if TYPE_CHECKING:
    from syncline.executor.previews.outcomes import RunOutcome
    from syncline.model.condition import Status
    from syncline.model.key import ObjectKey
    from syncline.settings import Settings
    from syncline.state.store import AppliedObject, AppliedRevision, RunRecord, StateReader


def demand(settings: Settings, tenant: str, right: str) -> None:
    """`Denied` (SYN865) where who acts may not do something with a tenant. See `executor.roles`."""
    from syncline.executor.access import roles

    roles.demand(settings, tenant, roles.Right[right])


def view(settings: Settings) -> AbstractContextManager[StateReader]:
    """The state as who acts may see it. See `executor.roles`."""
    from syncline.executor.access import roles

    return roles.view(settings)


def find_run(settings: Settings, run_id: str) -> RunRecord:
    """A run by its id or the beginning of it; `Invalid` where there is none."""
    with view(settings) as reader:
        found = reader.run(run_id)
    if found is None:
        raise Invalid(f"there is no run {run_id!r}", code="SYN709", help="`syncline runs list` shows the runs.")
    return _with_positions(settings, found)


def _with_positions(settings: Settings, record: RunRecord) -> RunRecord:
    """A run whose receipt says how far its source was read, for who may see values of records; else that is sealed."""
    from syncline.executor.access.roles import Person, Right, kept_access
    from syncline.executor.batches.at_rest import open_receipt, shut_receipt
    from syncline.kinds.tenant import Access
    from syncline.secrets.keys.ring import KeyRing

    if record.receipt is None:
        return record
    tenant = record.key.tenant
    may = not tenant or Person.here(settings).may(kept_access(settings, tenant) or Access(), Right.read)
    if may and settings.keys.is_dir():  # none is made to look at something
        with suppress(SynclineError):  # the key is gone, or can't be asked: the rest is shown all the same
            opened = open_receipt(lambda: KeyRing.look(settings.keys, settings.environ), tenant, record.receipt)
            return replace(record, receipt=opened)
    return replace(record, receipt=shut_receipt(record.receipt))


def runs(settings: Settings, key: ObjectKey | None, limit: int) -> tuple[RunRecord, ...]:
    """Runs, newest first."""
    from syncline.executor.batches.at_rest import shut_receipt

    with view(settings) as reader:
        found = reader.runs(key, limit)
    return tuple(replace(one, receipt=shut_receipt(one.receipt)) if one.receipt else one for one in found)


def run_outcome(settings: Settings, run_id: str) -> RunOutcome:
    """What a run came to, with the manifests that it ran under, as far as they are still applied."""
    from syncline.executor.previews.outcomes import outcome_of_run

    record = find_run(settings, run_id)
    with view(settings) as reader:
        environment = reader.environment()
        documents = {f"{one.key} {one.digest}": one.document for one in reader.objects()}
    return outcome_of_run(record, reject_rules(settings, record.id), environment, documents)


def objects(settings: Settings) -> tuple[AppliedObject, ...]:
    """What is applied, in key order."""
    with view(settings) as reader:
        return reader.objects()


def history(settings: Settings, limit: int) -> tuple[AppliedRevision, ...]:
    """What was applied, newest first."""
    from syncline.state.open import open_reader

    with closing(open_reader(settings.state_url)) as reader:
        return reader.history(limit)


def kept_revisions(settings: Settings) -> tuple[str, ...]:
    """Commits under which positions are known, newest first; empty where there is no state."""
    from syncline.state.open import open_reader

    with closing(open_reader(settings.state_url)) as reader:
        return reader.kept_revisions()


def statuses(settings: Settings) -> dict[ObjectKey, Status]:
    """How everything stands, in key order; sources are among them, under the kind `Source`."""
    with view(settings) as reader:
        return reader.statuses()


def reject_rules(settings: Settings, run_id: str) -> dict[str, int]:
    """How many rejects of a run broke which rule (`field: rule`), most first; nothing is decrypted."""
    from syncline.state.open import open_reader

    total: Counter[str] = Counter()
    with closing(open_reader(settings.state_url)) as reader:
        for sealed in reader.rejects(run_id):
            total.update(sealed.rules)
    return dict(total.most_common())
