"""A file that is written whole or not at all: whoever reads it meanwhile or after a crash finds the old or the new."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path


def write_whole(path: Path, parts: Iterable[str | bytes], *, mode: int = 0o600, durable: bool = False) -> None:
    """
    Writes a file part by part beside its name, then gives it the name and the mode. OSError where it can't be.

    `durable`: its content is on disk before it has the name.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder) / "plan.json", ["{", b"}"])
    ...     (Path(folder) / "plan.json").read_text()
    '{}'
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for part in parts:
                file.write(part.encode() if isinstance(part, str) else part)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        draft.chmod(mode)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
