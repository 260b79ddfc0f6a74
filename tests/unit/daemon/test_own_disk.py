"""What an error of the disk means to a daemon."""

from __future__ import annotations

import errno
import os

import pytest

from syncline.daemon.own_disk import WORK, own_disk
from syncline.model.errors import Again, Stalled


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, Again), (errno.EIO, Again), (errno.EACCES, Stalled)])
def test_an_error_of_the_disk_is_trouble_and_no_defect(number, kind):
    """What may pass is tried again, and what somebody has to mend waits for them; no path is told."""
    with pytest.raises(kind) as caught, own_disk(WORK):
        raise OSError(number, os.strerror(number), "/srv/syncline/.syncline/draft-4711")

    assert caught.value.code == "SYN782"
    assert caught.value.message == f"the daemon can't use its files on this machine: {os.strerror(number)}"
