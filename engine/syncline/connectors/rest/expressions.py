"""JMESPath expressions of connectors, compiled where they are declared."""

from __future__ import annotations

from typing import Any


def jmespath_of(text: str | None) -> Any:
    """What `.search(document)` finds by; None for none. The library's own errors: manifests were checked before."""
    if text is None:
        return None
    import jmespath  # most commands need none

    return jmespath.compile(text)
