"""A subscription, ready to be asked: which events are for it, and within which bounds it tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from syncline.kinds.subscription import SubscriptionSpec
from syncline.model import units
from syncline.model.notice import INCIDENT
from syncline.notify.events import at_least
from syncline.notify.threads import Rules
from syncline.policy.cel import ERRORS, Condition

if TYPE_CHECKING:
    from syncline.model.key import ObjectKey
    from syncline.model.manifest import Manifest

#: Most messages, where a subscription says nothing: to people, and to a program.
TO_PEOPLE: Final = "30/h"
TO_PROGRAMS: Final = "600/min"


class Subscription(Struct, frozen=True):
    """One, compiled. `generation` is that of its declaration."""

    key: ObjectKey
    spec: SubscriptionSpec
    generation: int
    rules: Rules
    condition: Condition | None

    @classmethod
    def of(cls, manifest: Manifest, generation: int) -> Subscription:
        """From its declaration, which was validated."""
        spec = manifest.spec
        assert isinstance(spec, SubscriptionSpec)
        limit = spec.limit or (TO_PROGRAMS if spec.do.webhook else TO_PEOPLE)
        repeat = units.duration(spec.repeat_every) if spec.repeat_every else 0.0
        rules = Rules(units.duration(spec.wait), repeat, *units.rate(limit))
        return cls(manifest.key, spec, generation, rules, Condition(spec.filter) if spec.filter else None)

    @property
    def tenant(self) -> str:
        """Whose objects it is told of; '' for all."""
        return self.key.tenant

    @property
    def basis(self) -> str:
        """Who is told: threads that were begun elsewhere can't be gone on with."""
        do = self.spec.do
        return f"{do.notify.integration} {do.notify.channel}" if do.notify else do.webhook.url if do.webhook else ""

    @property
    def follows_events(self) -> bool:
        """Whether it is told of single events, and not only of incidents."""
        return any(kind != INCIDENT for kind in self.spec.on)

    @property
    def follows_incidents(self) -> bool:
        """Whether it is told of incidents."""
        return INCIDENT in self.spec.on

    def wants(self, event: Mapping[str, Any]) -> bool:
        """Whether an event is for it. A filter that can't be evaluated on it says no."""
        spec = self.spec
        if event["type"] not in spec.on or not at_least(event["severity"], spec.severity):
            return False
        named = f"{event['kind']}/{event['name']}" if event.get("kind") else ""
        if spec.objects and not any(fnmatchcase(named, pattern) for pattern in spec.objects):
            return False
        if event.get("object") == str(self.key):
            return False  # that its own channel doesn't work is told by its status
        if self.condition is None:
            return True
        try:
            return self.condition({"event": dict(event)}) is True
        except ERRORS:
            return False
