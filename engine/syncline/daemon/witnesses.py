"""Has the audit log cosigned while a daemon works: a thread beside its loop, which it neither holds up nor ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from syncline.executor.services.witnessing import cosign, cosigned_newest, demand, log_key, read_policy
from syncline.model.errors import SynclineError
from syncline.model.pulse import resting, thread, working

if TYPE_CHECKING:
    from syncline.settings import Settings

#: Seconds between looks at whether the log has grown since it was cosigned.
EVERY: Final = 60.0


@contextmanager
def witnessing(
    settings: Settings, tell: Callable[[str], None], stop: threading.Event, every: float = EVERY
) -> Iterator[None]:
    """Asks the witnesses of the policy, where there is one, during the block, until `stop`."""
    over = threading.Event()

    def work() -> None:
        said = ""
        while not (stop.is_set() or over.is_set()):
            with working("has the audit log cosigned"):
                problem = _look(settings)
            if problem != said:
                said = problem
                tell(problem or "witnesses: the audit log is cosigned again")
            with resting():
                over.wait(every)

    asking = thread("witnesses", work)
    asking.start()
    try:
        yield
    finally:
        over.set()
        asking.join(1.0)


def _look(settings: Settings) -> str:
    """Has the log cosigned if it has grown; what keeps it from that, '' where nothing does."""
    try:
        policy = read_policy(settings)
        if policy is None or cosigned_newest(settings, policy):
            return ""
        demand(cosign(settings, log_key(settings), policy), policy)
    except SynclineError as error:
        return f"witnesses: {error.code} {error.told}"
    except Exception as error:  # a defect here ends no run and no apply
        return f"witnesses: SYN999 {type(error).__name__}: a defect in Syncline, please report it"
    return ""
