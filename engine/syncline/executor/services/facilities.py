"""What runs and applies share: the state, the audit log, the keys. Opened once, passed down, closed once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.audit.log import AuditLog
from syncline.audit.log_signer import load_signer, open_signer
from syncline.audit.signer import FileSigner
from syncline.executor.services.audit_head import check_head, noting
from syncline.executor.services.in_flight import InFlight, cores, parts_for
from syncline.executor.services.recorder import Recorder
from syncline.executor.services.tokens import Vault
from syncline.model.event import Action
from syncline.sdk.clients import Clients
from syncline.sdk.keep import Keep
from syncline.secrets.keys.ring import KeyRing
from syncline.state.open import open_store

if TYPE_CHECKING:
    from syncline.model.budget import Budgets
    from syncline.model.event import Event
    from syncline.settings import Settings
    from syncline.state.store import StateStore


class Facilities(Struct, frozen=True):
    """Everything that a change or a run needs from this machine."""

    settings: Settings
    store: StateStore
    recorder: Recorder
    keys: KeyRing
    keep: Keep


def audit_origin(lineage: str) -> str:
    """The log's origin (C2SP tlog-checkpoint): one log for each state lineage."""
    return f"syncline/{lineage}"


def signer_for(facilities: Facilities, purpose: str) -> FileSigner:
    """A key that signs for one purpose only, such as `snapshot`: in `PURPOSE.pem`, made at first use, with evidence."""
    path = facilities.settings.keys / f"{purpose}.pem"
    made = not path.exists()
    key = FileSigner.open(path, f"syncline/{facilities.store.lineage}/{purpose}")
    if made:
        event = facilities.recorder.event(Action.key_create, purpose=purpose, verifier=str(key.verifier))
        facilities.recorder.record([event])
    return key


def _budgets(settings: Settings, store: StateStore) -> Budgets:
    """Where budgets of requests are kept: in Redis where one is configured, else in the state."""
    if not settings.redis:
        return store.budgets()
    from syncline.state.redis_budgets import open_redis

    return open_redis(settings.redis)


@contextmanager
def open_facilities(settings: Settings) -> Iterator[Facilities]:
    """Opens state, log and keys, making them at first use; closes them when the block ends."""
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = open_store(settings.state_url)
    try:
        origin = audit_origin(store.lineage)
        key, made = open_signer(settings, origin)
        log = AuditLog.open(settings.audit, key, origin, lambda: load_signer(settings))
        check_head(store, log)
        with closing(Recorder(log, settings.actor, noting(store))) as recorder:
            if made:
                recorder.record([recorder.event(Action.key_create, purpose="audit", verifier=str(key.verifier))])
            with Keep() as keep:
                keep.share(Clients(budgets=_budgets(settings, store)))
                keep.share(InFlight(parts_for(cores()), cores()))
                keys = KeyRing.open(settings.keys, settings.environ)
                keep.share(Vault.over(store, keys))
                with closing(keys):
                    yield Facilities(settings, store, recorder, keys, keep)
    finally:
        store.close()


def note(settings: Settings, event: Callable[[Recorder], Event]) -> None:
    """Appends one event to the log, where there is one."""
    if settings.audit.is_dir():
        with open_facilities(settings) as facilities:
            facilities.recorder.record([event(facilities.recorder)])
