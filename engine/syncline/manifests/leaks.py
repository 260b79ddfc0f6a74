"""Secrets that were written into committed files: by their form, or by a name and the randomness of what it is given.

Manifests are looked through when they are loaded (`credentials.py`); this is for every other text that Git has. What it
finds is shown nowhere: a finding has a place and says what it looks like.
"""

from __future__ import annotations

import math
import os
import re
from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import Final

from syncline.manifests.allowed_secrets import NAME, Allowed, fingerprint
from syncline.manifests.credentials import FORM_HINTS, form_at, scrub
from syncline.manifests.repository import git, run_git
from syncline.model.diagnostic import Diagnostic, Place, Severity
from syncline.model.errors import Invalid

#: A line that says so is passed over; it shows in a review.
ALLOWED: Final = "syncline:allow-secret"
#: Larger files are data, not text that somebody wrote.
MAX_SIZE: Final = 1_000_000
#: A longer line, such as of JSON without ends of lines, is looked at in pieces that have so many characters in common.
_PIECE: Final = 5_000
_COMMON: Final = 700
#: Bits a character, above which a text of that kind is random: keys have 3 and more (hexadecimal), 4 and more (base64).
_HEX_BITS: Final = 3.0
_BITS: Final = 3.6
_SHORTEST: Final = 16

_HEX = re.compile(r"[0-9a-fA-F]+")
_ASSIGNED = re.compile(
    r"(?i)(?<![a-z])((?:[a-z0-9]+[-_.])*(?:api[-_]?key|access[-_]?key|secret[-_]?key|private[-_]?key|auth[-_]?token|"
    r"access[-_]?token|client[-_]?secret|signing[-_]?key|passphrase|password|passwd|secret|token))"
    r"[\"']?\s*(?::=|=>|[:=])\s*"
    r"(?:\"(?P<double>[^\"\s]{16,512})\"|'(?P<single>[^'\s]{16,512})'|(?P<bare>[A-Za-z0-9_+/=.~-]{16,512})(?=$|[\s,;#}]))"
)
_HINTS: Final = ("key", "token", "secret", "passw", "passphrase")
#: What examples and templates are written with.
_PLACEHOLDER = re.compile(
    r"(?i)example|placeholder|change[-_]?me|dummy|sample|your[-_]|xxxx|\*\*\*|\.\.\.|…|redacted|<|\$\{|\$\(|\{\{|%\(|canary|"
    r"^[a-z]+$|^[a-z]+([-_.][a-z]+)+$|^(0x)?0+$|^[a-z_.]+\(|://"
)
#: Files that others make, and that are full of digests.
_MADE: Final = frozenset({
    "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "poetry.lock", "uv.lock", "Cargo.lock",
    "go.sum", "Gemfile.lock", "composer.lock",
})  # fmt: skip
_SEALED: Final = "ENC[AES256_GCM,"
#: What text in UTF-16 begins with, as some shells of Windows write it.
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


def committed(root: Path, manifests: Iterable[str]) -> tuple[Diagnostic, ...]:
    """What looks like a secret in files on disk that Git has and which are no manifests; nothing outside Git."""
    try:
        names = tracked(root)
    except Invalid:
        return ()
    known = set(manifests)
    return scan(root, [name for name in names if name not in known])


def scan(root: Path, files: Sequence[str], *, staged: bool = False) -> tuple[Diagnostic, ...]:
    """
    What looks like a secret in these files of the folder, as they are on disk, or as they are staged for a commit.

    Files that aren't text, are larger than 1 MB, or are made by package managers are passed over, and so is what the
    folder's list allows (`allowed_secrets.py`); entries of it that fit nothing are found too.
    """
    found: list[Diagnostic] = []
    allowed = Allowed.read(root)
    for file in files:
        if PurePosixPath(file).name in _MADE:
            continue
        data = _staged(root, file) if staged else _content(root / file)
        if data is None or len(data) > MAX_SIZE or (b"\0" in data[:8_000] and not data.startswith(_UTF_16)):
            continue
        found += scan_text(file, _text(data), allowed)
    if not staged:
        found += allowed.findings(files)
    return tuple(found)


def scan_text(file: str, text: str, allowed: Allowed | None = None) -> Iterator[Diagnostic]:
    """What looks like a secret in a text, line by line: the first of each line, or of each piece of a long one."""
    lines = text.splitlines()
    for number in sorted(_hinted(text, FORM_HINTS) | _hinted(text.lower(), _HINTS)):
        line = lines[number - 1]
        if ALLOWED in line or (_SEALED in line and len(line) <= _PIECE):
            continue
        for begin in range(0, max(1, len(line) - _COMMON), _PIECE - _COMMON):
            piece = line[begin : begin + _PIECE]
            while (found := _looks_like(piece)) is not None:
                what, start, end = found
                if allowed is None or not allowed.meets(file, piece[start:end]):
                    yield _finding(file, number, begin, piece, (start, end), what)
                    break
                piece = piece[:start] + " " * (end - start) + piece[end:]  # what else is there is looked for


def _hinted(text: str, hints: Iterable[str]) -> set[int]:
    r"""The numbers of the lines that hold a hint: to ask each line took most of a `validate` of little else.

    >>> _hinted("a token\n\n\ntwo tokens, and a key\n", ("token", "key"))
    {1, 4}
    """
    begins = list(accumulate(map(len, text.splitlines(keepends=True)), initial=0))
    found = set()
    for hint in hints:
        at = text.find(hint)
        while at >= 0:
            number = bisect(begins, at)
            found.add(number)
            at = text.find(hint, begins[number])
    return found


def _looks_like(line: str) -> tuple[str, int, int] | None:
    """What the first secret of a line looks like, and where it is; None where there is none."""
    form = form_at(line)
    if form is not None and _meant(form[0], line, form[1], form[2]):
        return f"this looks like {form[0]}", form[1], form[2]
    lower = line.lower()
    for match in _ASSIGNED.finditer(line) if any(hint in lower for hint in _HINTS) else ():
        value = match["double"] or match["single"] or match["bare"]
        if _random(value):
            at = match.start(match.lastgroup or 0)
            return f"the value of {match[1][:60]!r} looks like a secret", at, at + len(value)
    return None


def _text(data: bytes) -> str:
    return data.decode("utf-16" if data.startswith(_UTF_16) else "utf-8", errors="replace")


def tracked(root: Path) -> tuple[str, ...]:
    """The files of the folder that Git has, relative to it. `Invalid` (SYN832) outside Git."""
    return _names(root, git(root, "ls-files", "-z", "--cached", "--", "."))


def to_be_committed(root: Path) -> tuple[str, ...]:
    """The files that are staged, relative to the folder. `Invalid` (SYN832) outside Git."""
    asked = ("diff", "--cached", "--name-only", "--relative", "-z", "--diff-filter=ACMR", "--", ".")
    return _names(root, git(root, *asked, **_index()))


def _names(root: Path, said: str | None) -> tuple[str, ...]:
    if said is None:
        raise Invalid(f"{root} is in no Git repository", code="SYN832", help="Name the files to be looked through.")
    return tuple(filter(None, said.split("\0")))


def _content(path: Path) -> bytes | None:
    try:
        if path.is_symlink() or not path.is_file():
            return None
        with path.open("rb") as opened:
            return opened.read(MAX_SIZE + 1)
    except OSError:
        return None


def _staged(root: Path, file: str) -> bytes | None:
    done = run_git(root, "show", f":./{file}", keep=(), **_index())
    return done.stdout if done.returncode == 0 else None


def _index() -> dict[str, str]:
    """The index that is committed: `git commit -a` and `git commit PATH` give a hook another than the repository's."""
    named = os.environ.get("GIT_INDEX_FILE")
    return {"GIT_INDEX_FILE": str(Path(named).absolute())} if named else {}


def _meant(what: str, line: str, start: int, end: int) -> bool:
    """Whether a form is one in earnest: a URL's password isn't a word of an example, a key's first line isn't all."""
    if what == "a private key":
        return line[end : end + 1] not in {'"', "'", "`"}
    if what != "a URL with a password":
        return True
    password = line[start:end].rpartition(":")[2].rstrip("@")
    return len(password) >= 8 and not _PLACEHOLDER.search(password) and any(c.isdigit() for c in password)


def _random(value: str) -> bool:
    """Whether a value is as irregular as a key, and is no placeholder, name or path."""
    if len(value) < _SHORTEST or _PLACEHOLDER.search(value) or value.count("/") > len(value) / 8:
        return False
    if not (any(c.isdigit() for c in value) and any(c.isalpha() for c in value)):
        return False
    counts = Counter(value)
    bits = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    return bits >= (_HEX_BITS if _HEX.fullmatch(value) else _BITS)


def _finding(file: str, number: int, begin: int, line: str, where: tuple[int, int], message: str) -> Diagnostic:
    """A finding in a line, or in a piece of it that begins at `begin`."""
    start, end = where
    return Diagnostic(
        "SYN831",
        message,
        Place(file, number, begin + start + 1, number, begin + end + 1),
        Severity.error,
        excerpt=scrub(line[:start] + "*" * (end - start) + line[end:]),
        help="Put it into a secret provider, and change it: whoever reads the history has it. "
        f"If it is none, say so on its line ({ALLOWED}), or with a reason in {NAME}: "
        f"{file} {fingerprint(line[start:end])} REASON",
    )
