"""What is registered at an integration's system against what is declared, and what ends each difference.

The state keeps, for each that was registered, the system's id of it and keyed digests of what was declared and of its
secret: a system doesn't show the secret that it has, so that this is how a replaced one is found. Before one is
registered, the state keeps that it is asked for and what was there: what is there after that is ours, however the
system writes its URL, also where the answer was lost. What was there before is somebody else's, even with the same URL.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from syncline.model.drift import Finding

if TYPE_CHECKING:
    from syncline.sdk.webhooks import Wanted, Webhook


class Kept(Struct, frozen=True):
    """
    What the state keeps of a webhook that was registered, or is asked for: then `before` has the ids that were there.

    `answered`: the system said that it is registered. `written`: a keyed digest of the URL as the system writes it, ''
    where that is as it is declared. `at`: a digest of the system's place, '' where that wasn't kept yet.
    """

    id: str
    declared: str
    secret: str = ""
    written: str = ""
    before: tuple[str, ...] | None = None
    answered: bool = False
    at: str = ""


class Step(Struct, frozen=True):
    """
    A difference, and what ends it: registering under `id` ('' for a new one), deleting that here, or at the former
    system where it was left, or a person.
    """

    name: str
    finding: Finding
    does: Literal["register", "delete", "leave", "wait"]
    id: str = ""


def compare(
    wanted: Mapping[str, Wanted],
    digests: Mapping[str, Kept],
    kept: Mapping[str, Kept],
    there: Sequence[Webhook],
    written: Callable[[object], str],
) -> tuple[tuple[Step, ...], tuple[Finding, ...]]:
    """What differs between declared webhooks, those that were registered and those that are there; and the noise."""
    by_id = {webhook.id: webhook for webhook in there}
    ours = {known.id for known in kept.values()} & set(by_id)
    steps: list[Step] = []
    for name, want in wanted.items():
        known = kept.get(name)
        hook = by_id.get(known.id) if known is not None else None
        if hook is None and known is not None and known.before is not None:
            hook = asked_for(want, known.before, there, ours)
            if hook is not None:
                ours.add(hook.id)
        if hook is None and (why := _waits(want, known, there, ours)):
            steps.append(Step(name, Finding("intent", f"webhook {name}", why), "wait"))
            continue
        finding = _differs(name, want, digests[name], known, hook, written)
        if finding is not None:
            steps.append(Step(name, finding, "register", hook.id if hook is not None else ""))
    for name, known in kept.items():
        if name not in wanted:
            message = "it isn't declared any more"
            does: Literal["delete", "wait"] = "delete"
            if not known.at and known.id in by_id and known_as_ours(known, None, there, set(), written) is None:
                message, does = f"webhook {known.id} there may be it, and isn't known to be: delete it there", "wait"
            steps.append(Step(name, Finding("intent", f"webhook {name}", message), does, known.id))
    noise = tuple(
        Finding("noise", f"webhook {w.id}", f"to {host(w.url)}, of somebody else") for w in there if w.id not in ours
    )
    return tuple(steps), noise


def registered(text: str | None) -> dict[str, Kept]:
    """What the state keeps of an integration's webhooks; nothing where it has none, or nobody can read it."""
    try:
        found = {name: Kept(**known) for name, known in json.loads(text or "{}")["webhooks"].items()}
        return {
            name: replace(known, before=tuple(known.before)) if known.before is not None else known
            for name, known in found.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def asked_for(want: Wanted, before: Sequence[str], there: Sequence[Webhook], ours: set[str]) -> Webhook | None:
    """The webhook that is there since it was asked for; None for none, or where others are that may be it as well."""
    new = [w for w in there if w.id not in before and w.id not in ours and host(w.url) == host(want.url)]
    same = [w for w in new if w.url == want.url]
    return same[-1] if same else new[0] if len(new) == 1 else None


def known_as_ours(
    known: Kept, want: Wanted | None, there: Sequence[Webhook], others: set[str], keyed: Callable[[object], str]
) -> Webhook | None:
    """
    The webhook that the state knows as ours, and that is still sent to where it was to be; None where there is none.

    `want` is as it was declared to the last, `others` are ids of our other webhooks.
    """
    if known.before is not None:
        new = asked_for(want, known.before, there, others) if want is not None else None
        # Where the system acknowledged none, one that is sent elsewhere may be somebody else's.
        return new if new is not None and want is not None and (known.answered or new.url == want.url) else None
    hook = next((webhook for webhook in there if webhook.id == known.id), None)
    if hook is None:
        return None
    events = hook.events if hook.events is not None else want.events if want is not None else ()
    same = keyed(hook.url) == known.written or keyed([hook.url, sorted(events)]) == known.declared
    return hook if same or (want is not None and hook.url == want.url) else None


def like(known: Kept | None, want: Wanted | None, there: Sequence[Webhook], others: set[str]) -> Webhook | None:
    """A webhook that may be ours and isn't known to be: with its id, with its URL, or there since it was asked for."""
    for webhook in there:
        if webhook.id in others:
            continue
        if want is not None and webhook.url == want.url:
            return webhook
        if known is not None and known.before is None and webhook.id == known.id:
            return webhook
        if known is not None and known.before is not None and webhook.id not in known.before:
            return webhook
    return None


def _waits(want: Wanted, known: Kept | None, there: Sequence[Webhook], ours: set[str]) -> str:
    """Why a webhook that isn't there isn't registered, for people; '' where it is to be."""
    if known is not None and known.before is not None:
        if known.answered:
            return "it was registered, and isn't found in the list: leave it out and apply, then declare it again"
        if any(w.id not in known.before and w.id not in ours and host(w.url) == host(want.url) for w in there):
            return "it was asked for, and several are there that may be it: delete them there"
    other = next((w for w in there if w.url == want.url and w.id not in ours), None)
    return f"webhook {other.id}, of somebody else, has its URL: delete it there, or use another" if other else ""


def _differs(
    name: str,
    want: Wanted,
    digest: Kept,
    known: Kept | None,
    hook: Webhook | None,
    written: Callable[[object], str],
) -> Finding | None:
    place = f"webhook {name}"
    if known is None or known.before is not None:
        what = "it isn't registered yet" if hook is None else "it is there, and isn't taken over yet"
        return Finding("intent", place, what)
    if hook is None:
        return Finding("actor", place, "it was deleted", lost=True)
    if (known.declared, known.secret) != (digest.declared, digest.secret):
        changed = known.declared != digest.declared
        what = "it is declared otherwise" if changed else "its secret was replaced"
        return Finding("intent", place, f"{what} since it was registered")
    said = list(_changed(want, hook, known.written, written))
    return Finding("actor", place, ", ".join(said), lost=True) if said else None


def _changed(want: Wanted, hook: Webhook, as_written: str, written: Callable[[object], str]) -> Iterator[str]:
    if hook.url != want.url and written(hook.url) != as_written:
        yield f"it is sent to another URL, at {host(hook.url)}"
    if hook.events is not None and set(hook.events) != set(want.events):
        yield f"it is sent {', '.join(sorted(hook.events)) or 'nothing'} instead of {', '.join(want.events)}"
    if not hook.active:
        yield "it is disabled"


def host(url: str) -> str:
    """Where a URL leads, without what may be secret in it."""
    try:
        return urlsplit(url).hostname or "?"
    except ValueError:
        return "?"
