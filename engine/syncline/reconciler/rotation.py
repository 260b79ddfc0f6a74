"""When credentials are to be replaced: pure functions from what is declared and what was seen of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from syncline.model import units
from syncline.model.condition import ConditionType
from syncline.model.diagnostic import Diagnostic, Severity

if TYPE_CHECKING:
    from syncline.kinds.auth import Rotation
    from syncline.manifests.desired import Desired
    from syncline.model.key import ObjectKey
    from syncline.model.manifest import Manifest
    from syncline.state.store import SeenCredential, StateReader

#: How often a credential is looked at, as somebody may have replaced it.
LOOK: Final = dt.timedelta(days=1)


class Reminder(Struct, frozen=True):
    """By when a credential is to be replaced, and from when on that is said; `reason` is how it stands, in a word."""

    reason: str
    message: str
    soon: dt.datetime
    due: dt.datetime

    @property
    def holds(self) -> bool:
        """Whether it is time to replace it."""
        return self.reason != "NotDue"

    def next_look(self, now: dt.datetime) -> dt.datetime:
        """When it is to be looked at again."""
        return min([now + LOOK, *(at for at in (self.soon, self.due) if at > now)])


def rotation_of(manifest: Manifest) -> Rotation | None:
    """What an AuthConfig declares about its replacement."""
    from syncline.kinds.auth import AuthConfigSpec

    return manifest.spec.root.rotation if isinstance(manifest.spec, AuthConfigSpec) else None


def reminder(rotation: Rotation, seen: SeenCredential | None, now: dt.datetime) -> Reminder | None:
    """How a credential stands; None while nothing tells its age.

    A declared date counts until it is seen that the value was replaced after it. What ends first counts.
    """
    found = [known for known in (_aged(rotation, seen), _ending(rotation)) if known is not None]
    if not found:
        return None
    due, message = min(found)
    soon = due - dt.timedelta(seconds=units.duration(rotation.warn))
    reason = "Overdue" if now >= due else "DueSoon" if now >= soon else "NotDue"
    return Reminder(reason, message, soon, due)


def _aged(rotation: Rotation, seen: SeenCredential | None) -> tuple[dt.datetime, str] | None:
    """When it reaches its age, and what to say of it; None where no age is declared, or none is known."""
    if rotation.every is None:
        return None
    begun = [dt.datetime.combine(rotation.since, dt.time(), dt.UTC)] if rotation.since is not None else []
    if seen is not None and (seen.replaced or not begun):
        begun.append(dt.datetime.fromisoformat(seen.seen))
    if not begun:
        return None
    since = max(begun)
    due = since + dt.timedelta(seconds=units.duration(rotation.every))
    return (
        due,
        f"to be replaced by {due:%Y-%m-%d}: every {rotation.every}, and this one is there since {since:%Y-%m-%d}",
    )


def _ending(rotation: Rotation) -> tuple[dt.datetime, str] | None:
    if rotation.expires is None:
        return None
    return dt.datetime.combine(rotation.expires, dt.time(), dt.UTC), f"to be replaced: it ends on {rotation.expires}"


def reminders(
    desired: Desired, seen: Mapping[ObjectKey, SeenCredential], now: dt.datetime
) -> Iterator[tuple[ObjectKey, Reminder | None]]:
    """How every credential stands whose replacement is declared."""
    for manifest in desired.of_kind("AuthConfig"):
        rotation = rotation_of(manifest)
        if rotation is not None:
            yield manifest.key, reminder(rotation, seen.get(manifest.key), now)


def endings(desired: Desired, now: dt.datetime) -> tuple[Diagnostic, ...]:
    """A warning for each credential of which the manifest itself says that it ends soon, or has ended."""
    found = []
    for manifest in desired.of_kind("AuthConfig"):
        rotation = rotation_of(manifest)
        if rotation is None or rotation.expires is None:
            continue
        known = reminder(rotation.model_copy(update={"every": None}), None, now)
        if known is not None and known.holds:
            found.append(_finding(manifest, known.message))
    return tuple(found)


def findings(desired: Desired, reader: StateReader) -> tuple[Diagnostic, ...]:
    """A warning for each declared credential of which the state says that it is to be replaced."""
    rotated = [manifest for manifest in desired.of_kind("AuthConfig") if rotation_of(manifest) is not None]
    statuses = reader.statuses([manifest.key for manifest in rotated]) if rotated else {}
    told = endings(desired, dt.datetime.now(dt.UTC))  # by `validate`
    found = []
    for manifest in rotated:
        known = statuses.get(manifest.key)
        due = known.condition(ConditionType.rotation_due) if known is not None else None
        if known is None or due is None or not known.holds(due.type):
            continue
        finding = _finding(manifest, due.message)
        if finding not in told:
            found.append(finding)
    return tuple(found)


def _finding(manifest: Manifest, message: str) -> Diagnostic:
    return Diagnostic(
        "SYN274",
        f"the credential {manifest.key.name} is {message}",
        manifest.place_of("spec", "rotation"),
        Severity.warning,
        help="Replace it where it was issued, and put the new one where the reference leads.",
        subject=str(manifest.key),
    )
