"""All sources of a daemon: the one that it was started with, and those that are declared there as `Source`.

Each is fetched, planned and applied for itself. Once one was applied, those that couldn't be are looked at again: what
they waited for may be there now.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from syncline.daemon.follower import Follower, Source, Standing
from syncline.daemon.git.branches import Branching
from syncline.kinds.source import SourceSpec
from syncline.model.errors import Invalid, SynclineError
from syncline.reconciler.status import source_failed

if TYPE_CHECKING:
    from syncline.daemon.git.branches import Branches
    from syncline.executor.flows.applied import Applied
    from syncline.executor.services.facilities import Facilities
    from syncline.reconciler.approvals import Rule
    from syncline.settings import Settings

#: Git servers that are asked at the same time.
AT_ONCE: Final = 16

#: Makes a declared source one that can be followed; raises for one that can't: `Invalid` where its declaration is why.
Open = Callable[[str, SourceSpec], Source]


class Followers:
    """The sources of one daemon while it works. Used by one thread, but for `look_soon`.

    `standings` is filled with how each stands, by its name; '' is the first.
    """

    def __init__(
        self,
        settings: Settings,
        first: Source,
        open_: Open,
        tell: Callable[[str], None],
        wake: Callable[[], None],
        standings: dict[str, Standing],
        *,
        poll: float,
        approvals: Rule | None = None,
    ) -> None:
        self._settings = settings
        self._approvals = approvals
        self._open = open_
        self._tell = tell
        self._wake = wake
        self._standings = standings
        self._poll = poll
        self._known: dict[str, Follower] = {"": self._follower("", first)}
        self._declared: dict[str, str] = {}  # digests of the declarations, by name
        self._serial = -1

    def look(self, facilities: Facilities, applied: Applied) -> bool:
        """Goes on with looking at each; whether a look has ended."""
        if applied.serial != self._serial:
            self._serial = applied.serial
            self._follow(facilities, applied)
        ended = False
        for name, follower in tuple(self._known.items()):
            before = facilities.store.serial() if follower.fetching else -1
            free = sum(other.fetching for other in self._known.values()) < AT_ONCE
            if follower.look(facilities, applied, begin=free):
                ended = True
                if facilities.store.serial() != before:
                    self._again(name)
        return ended

    def look_soon(self, ref: str | None = None) -> bool:
        """Asks for a look at those that follow a ref (None: all) before their next poll; whether there are any."""
        asked = [f for f in tuple(self._known.values()) if ref is None or (ref and f.source.ref == ref)]
        for follower in asked:
            follower.look_soon()
        return bool(asked)

    def branches(self, name: str) -> Branches | None:
        """The branches of a source; None where nothing can be proposed to it. Safe for threads."""
        follower = self._known.get(name)
        if follower is None or not isinstance(follower.source, Branching):
            return None
        return follower.source.branches()

    def close(self) -> None:
        """Ends what is under way."""
        for follower in self._known.values():
            follower.close()

    def _again(self, applied: str) -> None:
        """Looks again at what couldn't be applied, now that something else was."""
        for name, follower in self._known.items():
            if name != applied and follower.standing.problem:
                follower.look_soon()
        self._wake()

    def _follow(self, facilities: Facilities, applied: Applied) -> None:
        """Follows what is declared now: what is new or changed, from its beginning; what is gone, no more."""
        declared = {m.key.name: m for m in applied.desired.of_kind("Source") if not applied.objects[m.key].source}
        digests = {name: manifest.digest for name, manifest in declared.items()}
        for name, digest in self._declared.items():
            if digests.get(name) != digest:
                self._standings.pop(name, None)  # also of one that couldn't be opened, and has no follower
                if (follower := self._known.pop(name, None)) is not None:
                    follower.close()
        for name, manifest in declared.items():
            if self._declared.get(name) == digests[name]:
                continue
            assert isinstance(manifest.spec, SourceSpec)
            try:
                self._known[name] = self._follower(name, self._open(name, manifest.spec))
                self._tell(f"{name}: {self._known[name].source.shown} is followed")
            except SynclineError as error:
                self._standings[name] = Standing(problem=f"{error.code} {error.told}")
                self._tell(f"{name}: {error.code} {error.told}")
                source_failed(facilities.store, "", error, after=None, source=name)
                if not isinstance(error, Invalid):
                    digests[name] = ""  # so that it is opened again once something else was applied
        self._declared = digests

    def _follower(self, name: str, source: Source) -> Follower:
        standing = self._standings.setdefault(name, Standing())
        return Follower(
            self._settings,
            name,
            source,
            self._tell,
            self._wake,
            standing,
            poll=self._poll,
            approvals=self._approvals,
        )
