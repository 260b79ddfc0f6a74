"""Whether a text names a time zone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from syncline.manifests.findings import Problem
from syncline.manifests.text import nearest

if TYPE_CHECKING:
    from syncline.model.manifest import Path


def check_zone(name: str, path: Path) -> Iterator[Problem]:
    """A finding for what isn't in the IANA database of time zones."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError; a folder's name gives an OSError
        from zoneinfo import available_timezones

        yield Problem(
            "SYN215",
            path,
            f"{name!r} is not a time zone",
            expected="a name of the IANA database, such as Europe/Berlin",
            suggestion=nearest(name, (zone for zone in available_timezones() if "/" in zone)),
        )
