"""What a destination can't hold, for who only looks at a flow: it is asked, and where that fails, a notice says so."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from syncline.executor.previews.waiting import waited
from syncline.model.errors import SynclineError

if TYPE_CHECKING:
    from syncline.executor.flows.opening import Opener
    from syncline.sdk.destination import Limits, Target


def held(opener: Opener, target: Target) -> Limits | None:
    """What the destination can't hold as it is now; where it can't be asked, what no destination of its kind holds, and
    a notice. None where it holds every value, or isn't configured so that it says.
    """
    try:
        return waited(opener, lambda: opener.held(target), "destination")
    except SynclineError as error:
        told = f"{error.code} {error.message}"
        opener.notices.append(f"values that the destination's columns can't hold weren't looked for: {told}")
    with suppress(SynclineError):
        return opener.limits(target)
    return None
