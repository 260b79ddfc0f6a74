"""Who may do what with a tenant by commands: its applied `access.roles` decide, and evidence tells of refusals.

A person is who the audit log says acts, with the groups of the system's account, or, where the tenant says so, the
account that logged in, with its own. That keeps people to their part; it is no fence against somebody who may read the
keys in the home folder: for that there are the rights of files. A program that imports this package is asked for no
role.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, cast

from msgspec import Struct

from syncline.executor.access.admission import tenant_spec
from syncline.executor.services.facilities import open_facilities
from syncline.kinds.tenant import Access, Role, TenantSpec
from syncline.manifests.load import from_document
from syncline.model.account import login, login_of
from syncline.model.errors import Denied
from syncline.model.event import Action, EventOutcome
from syncline.model.key import ObjectKey
from syncline.state.open import open_reader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncline.executor.services.recorder import Recorder
    from syncline.manifests.desired import Desired
    from syncline.model.condition import Occurrence, Status
    from syncline.model.outbox import Message
    from syncline.settings import Settings
    from syncline.state.store import AppliedObject, RunRecord, StateReader


class Right(Enum):
    """Something that may be done, for people."""

    see = "see how a tenant stands"
    run = "run flows of a tenant"
    read = "read records of a tenant"
    unseal = "open what is sealed of a tenant, or care for its keys"
    offboard = "take a tenant out"


#: Which roles have a right.
MAY: Final[dict[Right, tuple[Role, ...]]] = {
    Right.see: ("viewer", "operator", "engineer", "security", "admin"),
    Right.run: ("operator", "engineer", "admin"),
    Right.read: ("engineer", "admin"),
    Right.unseal: ("security", "admin"),
    Right.offboard: ("admin",),
}


class Person(Struct, frozen=True):
    """Who acts: a name, and groups as manifests write them (`@ops`). `login` is the account that logged in."""

    name: str
    groups: frozenset[str] = frozenset()
    login: str = ""

    @classmethod
    def here(cls, settings: Settings) -> Person:
        """Who the audit log says acts, and the groups that this process has."""
        return cls(settings.actor, frozenset(_groups(os.getgroups())), login())

    @classmethod
    def of_peer(cls, process: int, uid: int, name: str) -> Person:
        """Who a process of an account of this machine says acts (nobody: that account), with the account's groups."""
        came = login_of(process, uid)
        try:
            account = pwd.getpwuid(uid).pw_name
        except KeyError:
            return cls(name or f"uid {uid}", login=came)
        return cls(name or account, groups_of(account), came)

    def sees(self, desired: Desired, key: ObjectKey) -> bool:
        """Whether an object is of no tenant, or of one that it may see."""
        return not key.owner or self.may(tenant_spec(desired, key.owner).access, Right.see)

    def may(self, access: Access, right: Right) -> bool:
        """Whether one of the roles that it has gives the right. Where nobody has a role, everybody may."""
        if not any(access.roles.values()):
            return True
        claimed = access.identity == "claimed"
        mine = {self.name, *self.groups} if claimed else {self.login, *groups_of(self.login)}
        return any(mine & set(access.roles.get(role, ())) for role in MAY[right])


def groups_of(account: str) -> frozenset[str]:
    """The groups of an account of this machine, as manifests write them; none for one that it doesn't know."""
    try:
        return frozenset(_groups(os.getgrouplist(account, pwd.getpwnam(account).pw_gid)))
    except KeyError:
        return frozenset()


def _groups(ids: list[int]) -> Iterator[str]:
    for number in ids:
        with suppress(KeyError):
            yield f"@{grp.getgrgid(number).gr_name}"


def demand(settings: Settings, tenant: str, right: Right) -> None:
    """`Denied` (SYN865), and evidence of that, where who acts here may not do something with a tenant."""
    if not tenant:
        return
    with closing(open_reader(settings.state_url)) as reader:
        access = _known(reader).get(tenant, Access())
    demand_by(settings, tenant, access, right)


def demand_by(settings: Settings, tenant: str, access: Access, right: Right) -> None:
    """As `demand`, by what is given."""
    person = Person.here(settings)
    if person.may(access, right):
        return
    with open_facilities(settings) as facilities:
        refuse(facilities.recorder, person, tenant, access, right)


def refuse(recorder: Recorder, person: Person, tenant: str, access: Access, right: Right) -> None:
    """Raises `Denied` (SYN865) unless a person has a right, once the log tells of it, and of who is behind the name."""
    if person.may(access, right):
        return
    key = ObjectKey.of_tenant(tenant)
    behind = {"account": person.login} if person.login != person.name else {}
    event = recorder.event(
        Action.access_deny, outcome=EventOutcome.denied, key=key, person=person.name, right=right.name, **behind
    )
    recorder.record([event])
    named = " or ".join(filter(None, (", ".join(MAY[right][:-1]), MAY[right][-1])))
    whose = f"tenant {tenant}" if person.may(access, Right.see) else "one of the tenants"
    who = person.name if access.identity == "claimed" else person.login
    raise Denied(
        f"{who} may not {right.value}: {whose}",
        code="SYN865",
        help=f"Who may has the role {named} in spec.access.roles of the tenant."
        + ("" if access.identity == "claimed" else " It is the account that logged in that counts, nobody claimed."),
    )


def kept_access(settings: Settings, tenant: str) -> Access | None:
    """Who may do what with a tenant, by what is applied, or was last; None where the state knows neither."""
    with closing(open_reader(settings.state_url)) as reader:
        return _known(reader).get(tenant)


def _known(reader: StateReader) -> dict[str, Access]:
    """Access by tenant, as it is applied, and for tenants that were retired as it was then."""
    documents = {key: text for key, text in reader.cursors().items() if key.kind == "Tenant"}
    documents |= {one.key: one.document for one in reader.objects("") if one.key.kind == "Tenant"}
    return {key.name: _access(text) for key, text in documents.items()}


def _access(document: str) -> Access:
    spec = from_document(document).spec
    return spec.access if isinstance(spec, TenantSpec) else Access()


def hidden(settings: Settings) -> frozenset[str]:
    """The tenants, applied or retired, that who acts here has no role in."""
    with closing(open_reader(settings.state_url)) as reader:
        return _hidden(reader, Person.here(settings))


def tells_of(event: Mapping[str, Any], tenants: frozenset[str]) -> bool:
    """Whether an entry of the log is about one of these tenants, or names one in what it says."""
    about = str(event["unmapped"].get("object") or "")
    kind, _, name = about.partition("/")
    if event["metadata"].get("tenant_uid") in tenants or kind in tenants or (kind == "Tenant" and name in tenants):
        return True
    said = json.dumps(event["unmapped"].get("details", {}))
    return any(re.search(rf"(?<![\w-]){re.escape(tenant)}(?![\w-])", said) for tenant in tenants)


def demand_all(settings: Settings) -> None:
    """`Denied` (SYN865) unless who acts here may see every tenant: for what shows all of them at once."""
    for tenant in sorted(hidden(settings)):
        demand(settings, tenant, Right.see)


def _hidden(reader: StateReader, person: Person) -> frozenset[str]:
    return frozenset(name for name, access in _known(reader).items() if not person.may(access, Right.see))


@contextmanager
def view(settings: Settings) -> Iterator[StateReader]:
    """The state as who acts here may see it: tenants that they have no role in aren't there."""
    with closing(open_reader(settings.state_url)) as reader:
        unseen = _hidden(reader, Person.here(settings))
        yield cast("StateReader", _View(reader, unseen)) if unseen else reader


class _View:
    """A reader without what is a hidden tenant's. What isn't about objects is as it is."""

    def __init__(self, reader: StateReader, hidden: frozenset[str]) -> None:
        self._reader = reader
        self._hidden = hidden

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def _sees(self, key: ObjectKey) -> bool:
        return key.owner not in self._hidden

    def objects(self, tenant: str | None = None) -> tuple[AppliedObject, ...]:
        return tuple(one for one in self._reader.objects(tenant) if self._sees(one.key))

    def object(self, key: ObjectKey) -> AppliedObject | None:
        return self._reader.object(key) if self._sees(key) else None

    def statuses(self, keys: Any = None) -> dict[ObjectKey, Status]:
        return {key: status for key, status in self._reader.statuses(keys).items() if self._sees(key)}

    def runs(self, key: ObjectKey | None = None, limit: int = 50) -> tuple[RunRecord, ...]:
        asked = limit
        while True:
            some = self._reader.runs(key, asked)
            found = tuple(run for run in some if self._sees(run.key))[:limit]
            if len(found) == limit or len(some) < asked:
                return found
            asked *= 4

    def run(self, run_id: str) -> RunRecord | None:
        found = self._reader.run(run_id)
        return found if found is not None and self._sees(found.key) else None

    def events(
        self, key: ObjectKey | None = None, tenant: str | None = None, after: int = 0, limit: int = 50
    ) -> tuple[Occurrence, ...]:
        found = self._reader.events(key, tenant, after, 10_000)
        return tuple(event for event in found if self._sees(event.key))[-limit:]

    def messages(self, key: ObjectKey | None = None, tenant: str | None = None, limit: int = 50) -> tuple[Message, ...]:
        found = self._reader.messages(key, tenant, 10_000)
        return tuple(message for message in found if self._sees(message.key))[-limit:]
