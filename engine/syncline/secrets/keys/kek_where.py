"""Where places of key-encryption keys are looked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Where:
    """The folder of keys, and the environment, which says how to reach other places. It may hold secrets: not shown."""

    folder: Path
    environ: Mapping[str, str] = field(repr=False)
