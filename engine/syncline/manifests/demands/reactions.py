"""Which reactions to drift a place can have, what a flow demands of them, and which one holds for a difference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from syncline.kinds.drift import Drift, Reaction, TenantDrift
from syncline.kinds.integration import IntegrationSpec
from syncline.kinds.tenant import TenantSpec
from syncline.manifests.findings import Problem
from syncline.manifests.flow import Flow
from syncline.manifests.text import listed
from syncline.model.key import ObjectKey

if TYPE_CHECKING:
    from syncline.manifests.desired import Desired
    from syncline.model.drift import Finding
    from syncline.model.manifest import Path

#: The place of findings about the rows of a table.
ROWS: Final = "rows"

#: The reactions that a place can have; first the one that holds where nobody says.
POSSIBLE: Final[dict[str, tuple[Reaction, ...]]] = {
    "tables": ("report", "heal", "adopt"),
    "rows": ("report", "heal"),
    "contract": ("report", "heal"),
    "noise": ("ignore", "report"),
    "webhooks": ("report", "heal"),
    "intent": ("heal", "report"),
    "schedules": ("report", "heal"),
    "credentials": ("report",),
    "keys": ("report",),
}
_UNSEEN: Final = "what was left there is gone or altered, and nobody would know of it"
#: Why a place can't have a reaction.
_WHY: Final[dict[tuple[str, Reaction], str]] = {
    ("tables", "ignore"): _UNSEEN,
    ("rows", "adopt"): "rows aren't declared, so that no commit could say that they are gone",
    ("rows", "ignore"): _UNSEEN,
    ("contract", "adopt"): "what a change of a source means for the mapping is for a person to say",
    ("contract", "ignore"): "the flow fails until somebody acts, and nobody would know why",
    ("noise", "heal"): "what others added is theirs, and isn't taken away",
    ("noise", "adopt"): "nothing says what others added is to be filled from",
    ("webhooks", "adopt"): "a system doesn't show what a webhook is signed with, so that no commit could declare it",
    ("webhooks", "ignore"): _UNSEEN,
    ("intent", "adopt"): "it is declared already",
    ("intent", "ignore"): "what is declared would never be carried out, and nobody would know of it",
    ("schedules", "adopt"): "a position isn't declared, so that no commit could move it",
    ("schedules", "ignore"): "it starts nothing, and nobody would know of it",
    ("credentials", "heal"): "a secret is put in place by a person",
    ("credentials", "adopt"): "secrets aren't in Git",
    ("credentials", "ignore"): "its runs fail, and nobody would know of it before",
    ("keys", "heal"): "a key that is gone comes from a backup; `syncline keys rotate` finishes a rotation",
    ("keys", "adopt"): "keys aren't in Git",
    ("keys", "ignore"): "data can't be read, and nobody would know of it before",
}


def impossible(place: str, reaction: Reaction | None, path: Path) -> Iterator[Problem]:
    """That a place can't have the reaction that is declared at a path, if it can't."""
    if reaction is None or reaction in POSSIBLE[place]:
        return
    yield Problem(
        "SYN727",
        path,
        f"{path[-1]}: {reaction} can't be: {_WHY[place, reaction]}",
        expected=listed(POSSIBLE[place]),
        suggestion="heal" if place == "intent" else "report",
    )


def declared(drift: Drift, path: Path) -> Iterator[Problem]:
    """Findings about reactions that a flow or a tenant declares, whatever it is."""
    for place in POSSIBLE:
        yield from impossible(place, getattr(drift, place, None), (*path, place))


def reactions(flow: Flow) -> Iterator[Problem]:
    """Findings about a flow that is to heal or adopt by itself, and never could."""
    drift = flow.spec.drift
    for part in ("tables", "rows"):
        reaction = getattr(drift, part)
        if reaction not in {"heal", "adopt"} or reaction not in POSSIBLE[part]:
            continue
        if flow.target.runtime == "rest":
            why, help_ = "an API has no tables that could be looked at", "Leave it out."
        elif flow.target.runtime == "file" and reaction == "adopt":
            why, help_ = "a folder of files has no columns that a mapping could follow", "Let it be reported, or heal."
        elif flow.spec.write == "append" and reaction == "heal":
            why, help_ = "reading again would append every row once more", "Use write: upsert or replace, or report."
        else:
            continue
        yield Problem("SYN750", ("spec", "drift", part), f"{part}: {reaction} can't be done: {why}", help=help_)
    api = flow.target.runtime == "rest"
    if drift.compare is not None and (api or flow.spec.write == "append"):
        why = "an API has no rows that could be looked at" if api else "what is appended has no key to be found by"
        message = f"rows can't be compared: {why}"
        yield Problem("SYN750", ("spec", "drift", "compare"), message, help="Leave it out.")


def terms_of(desired: Desired, flow: Flow) -> Drift:
    """What is declared to be done about a flow's drift: by itself, else by its tenant."""
    return flow.spec.drift.over(_of_tenant(desired, flow.key))


def reaction_of(desired: Desired, flow: Flow | None, key: ObjectKey, finding: Finding) -> Reaction:
    """What is to be done about a difference of an applied object; `flow` is the one that it is of, if it is of one."""
    place = _place(key, finding)
    if flow is not None:
        found: Reaction | None = getattr(terms_of(desired, flow), place)
        return found or POSSIBLE[place][0]
    own = desired.objects.get(key)
    if place == "webhooks" and own is not None and isinstance(own.spec, IntegrationSpec):
        hook = own.spec.webhooks.get(finding.place.removeprefix("webhook "))
        if hook is not None and hook.drift is not None:
            return hook.drift
    return getattr(_of_tenant(desired, key), place) or POSSIBLE[place][0]


def _place(key: ObjectKey, finding: Finding) -> str:
    """The field that says what is done about a difference."""
    match key.kind, finding.cause:
        case ("Integration", "intent" | "contract"):
            return "intent"  # what remains at a former system is tried again, as what isn't carried out yet
        case (_, "noise"):
            return "noise"
        case ("Integration", _):
            return "webhooks"
        case ("Schedule", _):
            return "schedules"
        case ("AuthConfig", _):
            return "credentials"
        case ("Tenant", _):
            return "keys"
        case (_, "contract"):
            return "contract"
        case _:
            return "rows" if finding.place == ROWS else "tables"


def _of_tenant(desired: Desired, key: ObjectKey) -> TenantDrift:
    tenant = desired.objects.get(ObjectKey.of_tenant(key.owner))
    return tenant.spec.drift if tenant is not None and isinstance(tenant.spec, TenantSpec) else TenantDrift()
