"""Who may do what with a tenant by commands: its applied `access.roles` decide, and evidence tells of refusals.

A person is who the audit log says acts, and the groups of the system's account. That keeps people to their part; it is
no fence against somebody who may choose the name, or read the keys in the home folder: for that there are the rights of
files. A program that imports this package is asked for no role.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, cast

from syncline.executor.admission import tenant_spec
from syncline.executor.facilities import open_facilities
from syncline.kinds.tenant import Role, TenantSpec
from syncline.manifests.load import from_document
from syncline.model.errors import Denied
from syncline.model.event import Action, EventOutcome
from syncline.model.key import ObjectKey
from syncline.state.open import open_reader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncline.executor.recorder import Recorder
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


@dataclass(frozen=True, slots=True)
class Person:
    """Who acts: a name, and groups as manifests write them (`@ops`)."""

    name: str
    groups: frozenset[str] = frozenset()

    @classmethod
    def here(cls, settings: Settings) -> Person:
        """Who the audit log says acts, and the groups that this process has."""
        return cls(settings.actor, frozenset(_groups(os.getgroups())))

    @classmethod
    def of_uid(cls, uid: int, name: str) -> Person:
        """Who an account of this machine says acts (nobody else: itself), with the account's groups."""
        try:
            account = pwd.getpwuid(uid)
        except KeyError:
            return cls(name or f"uid {uid}")
        groups = os.getgrouplist(account.pw_name, account.pw_gid)
        return cls(name or account.pw_name, frozenset(_groups(groups)))

    def sees(self, desired: Desired, key: ObjectKey) -> bool:
        """Whether an object is of no tenant, or of one that it may see."""
        return not key.owner or self.may(tenant_spec(desired, key.owner).access.roles, Right.see)

    def may(self, roles: Mapping[Role, tuple[str, ...]], right: Right) -> bool:
        """Whether one of the roles that it has gives the right. Where nobody has a role, everybody may."""
        mine = {self.name, *self.groups}
        return not any(roles.values()) or any(mine & set(roles.get(role, ())) for role in MAY[right])


def _groups(ids: list[int]) -> Iterator[str]:
    for number in ids:
        with suppress(KeyError):
            yield f"@{grp.getgrgid(number).gr_name}"


def demand(settings: Settings, tenant: str, right: Right) -> None:
    """`Denied` (SYN865), and evidence of that, where who acts here may not do something with a tenant."""
    if not tenant:
        return
    with closing(open_reader(settings.state_url)) as reader:
        roles = _known(reader).get(tenant, {})
    demand_by(settings, tenant, roles, right)


def demand_by(settings: Settings, tenant: str, roles: Mapping[Role, tuple[str, ...]], right: Right) -> None:
    """As `demand`, by roles that are given."""
    person = Person.here(settings)
    if person.may(roles, right):
        return
    with open_facilities(settings) as facilities:
        refuse(facilities.recorder, person, tenant, roles, right)


def refuse(
    recorder: Recorder, person: Person, tenant: str, roles: Mapping[Role, tuple[str, ...]], right: Right
) -> None:
    """Raises `Denied` (SYN865) unless a person has a right, once the log tells of it."""
    if person.may(roles, right):
        return
    key = ObjectKey.of_tenant(tenant)
    event = recorder.event(
        Action.access_deny, outcome=EventOutcome.denied, key=key, person=person.name, right=right.name
    )
    recorder.record([event])
    named = " or ".join(filter(None, (", ".join(MAY[right][:-1]), MAY[right][-1])))
    whose = f"tenant {tenant}" if person.may(roles, Right.see) else "one of the tenants"
    raise Denied(
        f"{person.name} may not {right.value}: {whose}",
        code="SYN865",
        help=f"Who may has the role {named} in spec.access.roles of the tenant.",
    )


def kept_roles(settings: Settings, tenant: str) -> Mapping[Role, tuple[str, ...]] | None:
    """The roles of a tenant by what is applied, or was last; None where the state knows neither."""
    with closing(open_reader(settings.state_url)) as reader:
        return _known(reader).get(tenant)


def _known(reader: StateReader) -> dict[str, Mapping[Role, tuple[str, ...]]]:
    """Roles by tenant: those that are applied, and for tenants that were retired those that were when they were."""
    documents = {key: text for key, text in reader.cursors().items() if key.kind == "Tenant"}
    documents |= {one.key: one.document for one in reader.objects("") if one.key.kind == "Tenant"}
    return {key.name: _roles(text) for key, text in documents.items()}


def _roles(document: str) -> Mapping[Role, tuple[str, ...]]:
    spec = from_document(document).spec
    return spec.access.roles if isinstance(spec, TenantSpec) else {}


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
    return frozenset(name for name, roles in _known(reader).items() if not person.may(roles, Right.see))


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
