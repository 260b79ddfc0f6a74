"""What it means that a daemon's own files can't be read or written on this machine: trouble, and no defect."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from msgspec import Struct

from syncline.model.errors import Again, Stalled

#: What may pass by itself, as when others have made room.
_PASSING: Final = frozenset(
    {
        errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.EAGAIN, errno.EBUSY,
        errno.ESTALE,
    }
)  # fmt: skip


class Trouble(Struct, frozen=True):
    """What can't be done when a disk fails: the code, what, and where to look."""

    code: str
    message: str
    help: str


#: The files of one source.
SOURCE: Final = Trouble(
    "SYN748",
    "the source's files can't be kept on this machine",
    "Look at the disk, the limits and the rights of the daemon's account in its folders `source` and `sources`, and in "
    "the system's folder for temporary files.",
)
#: What a daemon needs to plan, to apply, and to work at all.
WORK: Final = Trouble(
    "SYN782",
    "the daemon can't use its files on this machine",
    "Look at the disk, the limits and the rights of the daemon's account in its home, where state, keys and log are, "
    "and in the system's folder for temporary files. It goes on by itself once they can be used.",
)


@contextmanager
def own_disk(trouble: Trouble = SOURCE) -> Iterator[None]:
    """
    Has an `OSError` of a block end as `Again` where it may pass, else as `Stalled`.

    No path is told, as drafts have names of their own: the same trouble is to be the same message.
    """
    try:
        yield
    except OSError as error:
        kind = Again if error.errno in _PASSING else Stalled
        said = error.strerror or type(error).__name__
        raise kind(f"{trouble.message}: {said}", code=trouble.code, help=trouble.help) from error
