"""What it means that a source's files can't be read or written on this machine: its own trouble, and not a defect."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from syncline.model.errors import Again, Stalled

#: What may pass by itself, as when others have made room.
_PASSING: Final = frozenset(
    {
        errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.EAGAIN, errno.EBUSY,
        errno.ESTALE,
    }
)  # fmt: skip


@contextmanager
def own_disk() -> Iterator[None]:
    """Has an `OSError` of a block end as `Again` where it may pass, else as `Stalled` (SYN748). No path is told, as
    drafts have names of their own: the same trouble is to be the same message.
    """
    try:
        yield
    except OSError as error:
        kind = Again if error.errno in _PASSING else Stalled
        raise kind(
            f"the source's files can't be kept on this machine: {error.strerror or type(error).__name__}",
            code="SYN748",
            help="Look at the disk, the limits and the rights of the daemon's account in its folders `source` and "
            "`sources`, and in the system's folder for temporary files.",
        ) from error
