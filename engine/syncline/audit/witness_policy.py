"""Which witnesses must have cosigned a checkpoint (C2SP tlog-policy): a text file that auditors and logs share.

Pure.

    witness north north.example/w1+12345678+BFF… https://north.example
    witness south south.example/w1+9abcdef0+BB4… https://south.example
    group both all north south
    quorum both

`log` lines are read too: where there are some, the log's key must be among them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from syncline.audit.cosignature import CosignerKey
from syncline.audit.malformed import Malformed
from syncline.audit.note import VerifierKey, read_verifier

_NONE: Final = "none"
_COUNT = re.compile(r"[1-9][0-9]{0,3}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Witness(Struct, frozen=True):
    """A witness: its name in the policy, its key, and the URL before `/add-checkpoint` (empty: none is known)."""

    name: str
    key: CosignerKey
    url: str = ""


class Group(Struct, frozen=True):
    """So many (`least`) of these members, witnesses or groups, make one that counts."""

    name: str
    least: int
    members: tuple[str, ...]


class WitnessPolicy(Struct, frozen=True):
    """A policy as it was read. `quorum` names a witness or a group, or is `none`."""

    witnesses: tuple[Witness, ...]
    groups: Mapping[str, Group]
    quorum: str
    logs: tuple[VerifierKey, ...] = ()

    @property
    def keys(self) -> tuple[CosignerKey, ...]:
        """The keys of all witnesses."""
        return tuple(witness.key for witness in self.witnesses)

    def met(self, keys: Iterable[CosignerKey]) -> bool:
        """Whether cosignatures by these keys are enough."""
        present = set(keys)
        cosigned = {witness.name for witness in self.witnesses if witness.key in present}

        def counts(name: str) -> bool:
            group = self.groups.get(name)
            return name in cosigned if group is None else sum(map(counts, group.members)) >= group.least

        return self.quorum == _NONE or counts(self.quorum)

    def demand(self) -> str:
        """What is demanded, in words: `2 of north, south, east`."""
        group = self.groups.get(self.quorum)
        if group is None:
            return "no witness" if self.quorum == _NONE else self.quorum
        return f"{group.least} of {', '.join(group.members)}"


def parse(data: bytes) -> WitnessPolicy:
    """Read a policy strictly; `Malformed` names the line that it doesn't allow."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"a witness policy must be UTF-8: {error.reason} at byte {error.start}") from None
    reader = _Reader()
    for number, line in enumerate(text.split("\n"), 1):
        words = line.replace("\t", " ").split(" ")
        words = [word for word in words if word]
        if not words or words[0].startswith("#"):
            continue
        try:
            if _CONTROL.search(line):
                raise Malformed("control characters aren't allowed")
            reader.take(words)
        except Malformed as error:
            raise Malformed(f"line {number}: {error}") from None
    return reader.done()


class _Reader:
    """Takes the lines of a policy in turn."""

    def __init__(self) -> None:
        self.logs: list[VerifierKey] = []
        self.witnesses: dict[str, Witness] = {}
        self.groups: dict[str, Group] = {}
        self.members: set[str] = set()
        self.quorum = ""

    def take(self, words: list[str]) -> None:
        match words:
            case ["log", key, *url] if len(url) <= 1:
                self._log(read_verifier(key))
            case ["witness", name, key, *url] if len(url) <= 1:
                self._witness(Witness(name, CosignerKey.parse(key), "".join(url).rstrip("/")))
            case ["group", name, least, *members] if members:
                self._group(name, least, tuple(members))
            case ["quorum", name]:
                if self.quorum:
                    raise Malformed("there is a quorum already")
                if name != _NONE:
                    self._known(name)
                self.quorum = name
            case _:
                raise Malformed(f"{' '.join(words)[:80]!r} is no line of a policy: log, witness, group or quorum")

    def done(self) -> WitnessPolicy:
        if not self.quorum:
            raise Malformed("a policy needs a line `quorum NAME`, or `quorum none`")
        return WitnessPolicy(tuple(self.witnesses.values()), self.groups, self.quorum, tuple(self.logs))

    def _log(self, key: VerifierKey) -> None:
        if any(key.public == other.public for other in self.logs):
            raise Malformed(f"the log key {key.name} is listed twice")
        self.logs.append(key)

    def _witness(self, witness: Witness) -> None:
        self._new(witness.name)
        if any(witness.key.public == other.key.public for other in self.witnesses.values()):
            raise Malformed(f"witness {witness.name} has the key of another one: it would count twice")
        self.witnesses[witness.name] = witness

    def _group(self, name: str, least: str, members: tuple[str, ...]) -> None:
        self._new(name)
        for member in members:
            self._known(member)
            if member in self.members:
                raise Malformed(f"{member} is a member already: it would count twice")
            self.members.add(member)
        count = {"any": 1, "all": len(members)}.get(least, int(least) if _COUNT.fullmatch(least) else 0)
        if not 1 <= count <= len(members):
            raise Malformed(f"{least!r} of {len(members)} is no number of members: give any, all, or 1 to their number")
        self.groups[name] = Group(name, count, members)

    def _new(self, name: str) -> None:
        if name == _NONE or name in self.witnesses or name in self.groups:
            raise Malformed(f"the name {name!r} is taken")

    def _known(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise Malformed(f"no witness or group {name!r} stands above")
