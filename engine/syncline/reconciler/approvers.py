"""Who is one person among those who may approve: names that share a key, and keys that share a name, are one's.

The file of allowed signers (ssh-keygen(1)) says who may sign with which key. A person may be in it under several
addresses, and with several keys; two signatures of one person aren't two people's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from syncline.model.errors import Stalled

_KEY: Final = re.compile(r"(?:^|\s)(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+\s+([A-Za-z0-9+/]+=*)")


class People(Struct, frozen=True):
    """Names (in lower case) and fingerprints of keys, each with the same mark as what else is that person's."""

    marks: Mapping[str, str]

    @classmethod
    def read(cls, signers: Path) -> People:
        """Those of a file of allowed signers. `Stalled` (SYN724) where it can't be read."""
        try:
            text = signers.read_text(errors="replace")
        except OSError as error:
            raise Stalled(f"the file of approvers {signers} can't be read", code="SYN724") from error
        marks: dict[str, str] = {}
        for alike in _lines(text):
            former = {marks[one] for one in alike if one in marks}
            mark = min({*former, *alike})
            marks.update(dict.fromkeys(alike, mark))
            for one, other in marks.items():
                if other in former:
                    marks[one] = mark
        return cls(marks)

    def of(self, known: Iterable[str]) -> frozenset[str]:
        """The people behind names and fingerprints; whoever the file doesn't have is a person of their own."""
        names = (one if one.startswith("SHA256:") else one.casefold() for one in known)
        return frozenset(self.marks.get(name, name) for name in names)

    def number(self, signed: Iterable[Iterable[str]]) -> int:
        """How many people made signatures, each known by its names."""
        apart: list[frozenset[str]] = []
        for names in signed:
            mine = self.of(names)
            apart = [*(one for one in apart if not one & mine), mine.union(*(one for one in apart if one & mine))]
        return len(apart)


def _lines(text: str) -> Iterator[tuple[str, ...]]:
    """Names and the key of each line, which are one person's; of an authority's line only each name by itself."""
    for line in text.splitlines():
        principals, _, rest = " ".join(line.split()).partition(" ")
        if not principals or principals.startswith("#"):
            continue
        names = [name.casefold() for name in principals.strip('"').split(",")]
        names = [name for name in names if name and not any(c in name for c in "*?!")]
        key = _KEY.search(rest)
        if key is None or "cert-authority" in rest[: key.start() + 1].casefold():
            yield from ((name,) for name in names)
            continue
        try:
            blob = base64.b64decode(key[1], validate=True)
        except binascii.Error:
            continue
        fingerprint = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
        yield (*names, f"SHA256:{fingerprint}")
