"""What there is of a person, and requests to erase one, as text and as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from syncline.cli.output.paint import Paint
from syncline.cli.output.table import render_table
from syncline.cli.output.text import number, plural, visible

if TYPE_CHECKING:
    from syncline.executor.privacy.erasure import Held
    from syncline.model.erasure import Erasure, ErasurePlace
    from syncline.model.suppression import Suppression

_HEAD = ("FLOW", "DESTINATION", "BY", "ROWS", "REJECTS", "")


def held_data(held: Held) -> dict[str, Any]:
    """One place as plain data, with the rows and records themselves."""
    return {
        "flow": str(held.key),
        "destination": held.to,
        "field": held.field,
        "rows": list(held.rows),
        "rejects": list(held.rejects),
        "problem": held.problem,
    }


def render_held(found: Sequence[Held], paint: Paint) -> str:
    """How much there is at each place; the rows themselves are for `-o json`."""
    rows = [
        (str(h.key), h.to, h.field, number(len(h.rows)), number(len(h.rejects)), f"✗ {h.problem}" if h.problem else "")
        for h in found
    ]
    return render_table(_HEAD, rows, paint, right=frozenset({3, 4}), cells=80)


def render_expected(request: Erasure, paint: Paint) -> str:
    """What erasing would do at each place."""
    rows = [(str(p.key), p.to, p.field, number(p.rows), number(p.rejects), _expected(p)) for p in request.places]
    return render_table(_HEAD, rows, paint, right=frozenset({3, 4}), cells=80)


def _expected(place: ErasurePlace) -> str:
    match place.state:
        case "begun":
            if place.message:
                return f"is erased {place.message}"
            return "is erased" if place.rows or place.rejects else "nothing there"
        case "held":
            return f"stays: {place.message}"
        case _:
            return f"✗ {place.message}"


def render_place(place: ErasurePlace, paint: Paint) -> str:
    """One line on what became of one place."""
    figures = f"{plural(place.rows, 'row')}, {plural(place.rejects, 'reject')}"
    name = visible(f"{place.key} at {place.to}")
    said = f" ({visible(place.message)})" if place.message else ""
    match place.state:
        case "erased":
            return f"  {paint.green('✓')} {name}: {figures} erased{said}"
        case "asked":
            return f"  {paint.green('✓')} {name}: {figures} found, and the system asked to erase{said}"
        case "acknowledged":
            return f"  {paint.green('✓')} {name}: done by hand, {visible(place.message)}"
        case "held":
            return f"  {paint.yellow('•')} {name}: {figures} stay: {visible(place.message)}"
        case _:
            return f"  {paint.red('✗')} {name}: {visible(place.message)}"


def render_request(request: Erasure, paint: Paint) -> str:
    """A request with its places."""
    state = paint.green("complete") if request.complete else paint.yellow("open")
    lines = [
        f"Request {paint.bold(request.id)} of {visible(request.tenant)}: {state}",
        "",
        f"  subject   {request.kind} {request.subject[:16]}…",
        f"  begun     {request.begun}",
        *([f"  finished  {request.finished}"] if request.finished else []),
        "",
        *(render_place(place, paint) for place in request.places),
    ]
    return "\n".join(lines) + "\n"


def render_requests(requests: Sequence[Erasure], paint: Paint) -> str:
    """A table of requests."""
    if not requests:
        return "No requests yet.\n"
    head = ("REQUEST", "TENANT", "SUBJECT", "BEGUN (UTC)", "PLACES", "STATE")
    rows = [
        (
            r.id,
            r.tenant,
            f"{r.kind} {r.subject[:12]}…",
            r.begun[:19].replace("T", " "),
            number(len(r.places)),
            "complete" if r.complete else "open",
        )
        for r in requests
    ]
    return render_table(head, rows, paint, right=frozenset({4}))


def render_suppressions(found: Sequence[Suppression], paint: Paint) -> str:
    """A table of who isn't to come back."""
    if not found:
        return "Nobody is suppressed.\n"
    head = ("REQUEST", "TENANT", "SUBJECT", "SINCE (UTC)", "")
    rows = [
        (
            one.id,
            one.tenant,
            f"{one.kind} {one.subject[:12]}…",
            one.since[:19].replace("T", " "),
            f"lifted {one.lifted[:10]} by {one.by}: {one.reason}" if one.lifted else "suppressed",
        )
        for one in found
    ]
    return render_table(head, rows, paint, cells=80)
