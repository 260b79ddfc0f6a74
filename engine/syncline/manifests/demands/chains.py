"""Runs that start runs: chains of schedules by event, of which none may lead back to where it began."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.model.diagnostic import Diagnostic

if TYPE_CHECKING:
    from syncline.manifests.desired import Desired
    from syncline.model.manifest import Manifest


class _Link(Struct, frozen=True):
    """A schedule starts a flow when another has run; flows by tenant, kind and name."""

    before: tuple[str, str]
    after: tuple[str, str]
    schedule: Manifest
    position: int


def check_chains(desired: Desired) -> list[Diagnostic]:
    """A finding (SYN695) for each link of schedules that closes a circle: its runs would start each other for ever."""
    links: dict[tuple[str, str], list[_Link]] = {}
    found: list[Diagnostic] = []
    for link in _links(desired):
        path = _path(links, link.after, link.before)
        if path is None:
            links.setdefault(link.before, []).append(link)
            continue
        names = " → ".join(name for _, name in (link.before, *path))
        found.append(
            Diagnostic(
                code="SYN695",
                message=f"its runs would start each other for ever: {names}",
                place=link.schedule.place_of("spec", "on", "of", link.position),
                subject=str(link.schedule.key),
                help="Take one of them out of `of` or `run`, or start one of them by time. A filter doesn't open it: "
                "whether one is ever false can't be known.",
            )
        )
    return found


def _links(desired: Desired) -> Iterator[_Link]:
    for manifest in desired.of_kind("Schedule"):
        from syncline.kinds.schedule import ScheduleSpec

        spec = manifest.spec
        if isinstance(spec, ScheduleSpec) and spec.on is not None:
            tenant = manifest.key.tenant
            for position, before in enumerate(spec.on.of):
                for after in spec.run:
                    yield _Link((tenant, before), (tenant, after), manifest, position)


def _path(
    links: dict[tuple[str, str], list[_Link]], start: tuple[str, str], end: tuple[str, str]
) -> list[tuple[str, str]] | None:
    """The flows from `start` to `end`, both included, or None where there is no way."""
    came: dict[tuple[str, str], tuple[str, str] | None] = {start: None}
    todo = [start]
    while todo:
        here = todo.pop()
        if here == end:
            path = [here]
            while (before := came[path[-1]]) is not None:
                path.append(before)
            return path[::-1]
        for link in links.get(here, ()):
            if link.after not in came:
                came[link.after] = here
                todo.append(link.after)
    return None
