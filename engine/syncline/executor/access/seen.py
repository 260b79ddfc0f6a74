"""What who acts may see of what is declared and planned: not what is of tenants that they have no role in.

What is applied and done stays whole; this is about what is shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from syncline.kinds.tenant import TenantSpec
from syncline.model.diagnostic import Diagnostic, Place
from syncline.model.errors import Again, Stalled
from syncline.model.key import ObjectKey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from syncline.model.change import Change
    from syncline.model.manifest import Manifest
    from syncline.model.plan import Plan, PolicyResult
    from syncline.settings import Settings

#: What is said once wherever something is kept back: how much it is would tell of others, too.
KEPT_BACK: Final = "Tenants that you have no role in aren't shown."


@dataclass(frozen=True)
class Unseen:
    """
    Tenants that somebody doesn't see; files that declare something of them, and those that declare something else. Of
    a file that can't be read it counts what it names.
    """

    tenants: frozenset[str] = frozenset()
    theirs: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    root: Path = Path()

    def __bool__(self) -> bool:
        return bool(self.tenants)

    def sees(self, key: ObjectKey) -> bool:
        """Whether an object is shared, or of a tenant that is seen."""
        return key.owner not in self.tenants

    def findings(self, found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
        """Findings about what is seen, in words that name no tenant that isn't."""
        if not self:
            return tuple(found)
        return tuple(self._finding(one) for one in found if self._told(one))

    def results(self, found: Iterable[PolicyResult]) -> tuple[PolicyResult, ...]:
        """What policy decided about what is seen."""
        if not self:
            return tuple(found)
        return tuple(
            replace(one, message=self._worded(one.message), diagnostic=one.diagnostic and self._finding(one.diagnostic))
            for one in found
            if self._owner(one.object) not in self.tenants and (one.diagnostic is None or self._told(one.diagnostic))
        )

    def plan(self, plan: Plan) -> Plan:
        """A plan for showing. Its steps stay whole: it says no less than before whether there is something to do."""
        if not self:
            return plan
        return replace(
            plan,
            changes=tuple(self._change(one) for one in plan.changes if self.sees(one.key)),
            policy=self.results(plan.policy),
            findings=self.findings(plan.findings),
            data=tuple(one for one in plan.data if self.sees(one.key)),
        )

    def hides(self, file: str) -> bool:
        """Whether a file is of these tenants alone."""
        if file in self.others:
            return False
        return file in self.theirs or self._names_in_path(file) or self.names(self._text(file))

    def names(self, text: str) -> bool:
        """Whether a text names one of the tenants."""
        return bool(self.tenants) and self._name.search(text) is not None

    def _worded(self, text: str) -> str:
        return self._name.sub("another tenant", text)

    @cached_property
    def _name(self) -> re.Pattern[str]:
        """A tenant by its name, or something of it."""
        names = "|".join(map(re.escape, sorted(self.tenants, key=len, reverse=True)))
        return re.compile(rf"(?<![\w-])(?:Tenant/|[Tt]enant )?(?:{names})(?![\w-])(?:/[\w@./+-]*[\w+-])?")

    def _told(self, found: Diagnostic) -> bool:
        owner, file = self._owner(found.subject), found.place.file if found.place else ""
        if owner:
            return owner not in self.tenants
        return not file or not (self.hides(file) or (file in self.theirs and not found.subject))

    def _finding(self, found: Diagnostic) -> Diagnostic:
        return replace(
            found,
            message=self._worded(found.message),
            expected=self._worded(found.expected),
            suggestion="" if self.names(found.suggestion) else found.suggestion,
            help=self._worded(found.help),
            excerpt="" if self.names(found.excerpt) else found.excerpt,
            related=tuple(
                replace(one, message=self._worded(one.message))
                for one in found.related
                if not self._is_theirs(one.place)
            ),
        )

    def _owner(self, subject: str) -> str:
        """Whose something is, by its key or, as findings about a tenant have it, by the tenant's name."""
        try:
            return ObjectKey.parse(subject).owner
        except ValueError:
            return subject if subject in self.tenants else ""

    def _is_theirs(self, place: Place) -> bool:
        return place.file in self.theirs or self._names_in_path(place.file)

    def _names_in_path(self, file: str) -> bool:
        """Whether a path names one of the tenants, also as a part of a name: `acme-crm.yaml`."""
        return any(re.search(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", file) for name in self.tenants)

    def _text(self, file: str) -> str:
        try:
            return (self.root / file).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def _change(self, change: Change) -> Change:
        return replace(
            change,
            reason=self._worded(change.reason),
            effects=tuple(one for one in change.effects if not self.names(f"{one.subject} {one.message}")),
            previous=change.previous if change.previous and self.sees(change.previous) else None,
        )


def unseen_of(settings: Settings, manifests: Iterable[Manifest]) -> Unseen:
    """
    What who acts doesn't see of manifests. Roles count as they are applied; where the state can't be asked, as they are
    declared.

    The state isn't asked where each tenant of the manifests is declared among them, and gives nobody a role.
    """
    known = tuple(manifests)
    access = {m.key.name: m.spec.access for m in known if isinstance(m.spec, TenantSpec)}
    owners = {m.key.owner for m in known} - {""}
    if all(name in access and not any(access[name].roles.values()) for name in owners):
        return Unseen()
    from syncline.executor.access.roles import Person, Right, hidden  # 100 modules, 0.1 s: few repositories give roles

    try:
        tenants = hidden(settings)
    except (Again, Stalled):
        person = Person.here(settings)
        tenants = frozenset(name for name, given in access.items() if not person.may(given, Right.see))
    return without(tenants, settings, known)


def without(tenants: frozenset[str], settings: Settings, manifests: Iterable[Manifest]) -> Unseen:
    """What isn't seen of manifests where it is known which tenants aren't."""
    if not tenants:
        return Unseen()
    known = tuple(manifests)
    theirs = frozenset(m.place.file for m in known if m.key.owner in tenants)
    others = frozenset(m.place.file for m in known if m.key.owner not in tenants)
    return Unseen(tenants, theirs, others, settings.root)
