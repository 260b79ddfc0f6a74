"""Following one source: its newest commit is fetched beside all other work, planned, and applied.

A commit that is refused changes nothing: the last good one keeps running, and the next commit is looked at again.
"""

from __future__ import annotations

import datetime as dt
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from syncline import workflow
from syncline.daemon.git.command import Stop
from syncline.daemon.git.fetching import Fetching
from syncline.daemon.leading import ELSEWHERE, is_followed
from syncline.daemon.own_disk import WORK, own_disk
from syncline.executor.services.facilities import Facilities
from syncline.manifests.repository import Revision
from syncline.model.errors import Again, Bug, Denied, Followed, Invalid, Stalled, SynclineError, Waiting
from syncline.model.pulse import turned, working
from syncline.planner.known import Known
from syncline.policy.decisions import Decisions
from syncline.reconciler.apply import apply_plan
from syncline.reconciler.approvals import Gate, Rule
from syncline.reconciler.hold import foremost
from syncline.reconciler.status import next_attempt, source_failed, source_well
from syncline.state.store import Author

if TYPE_CHECKING:
    from syncline.executor.flows.applied import Applied
    from syncline.settings import Settings

#: Longest wait, in seconds, before a commit that couldn't be applied for the moment is tried again.
MAX_BACKOFF: Final = 300.0
#: Fewest seconds between looks that somebody asks for.
APART: Final = 1.0


class Tree(Protocol):
    """The tree of a commit, as files in a folder."""

    @property
    def commit(self) -> str:
        """Its id."""

    @property
    def root(self) -> Path:
        """The folder."""


class Source(Protocol):
    """Where desired state comes from; `daemon/git/source.py` is Git."""

    @property
    def shown(self) -> str:
        """Where it is, as people may see it."""

    @property
    def ref(self) -> str:
        """The name that is followed, in full; '' for none."""

    def head(self, stop: Stop) -> str:
        """The newest commit; called by a thread of its own. `stop` ends it early."""

    def check_history(self, applied: str, new: str) -> None:
        """`Stalled` where the new commit doesn't come after the one that is applied."""

    def back_to(self, applied: str, commit: str) -> str:
        """The commit whose positions are gone back to by what came after the applied one; '' for none."""

    def author(self, commit: str) -> tuple[str, str]:
        """Whose commit it is, and its first line."""

    def authors(self, base: str, commit: str) -> frozenset[str]:
        """Who made the commits after a base, up to this one."""

    def snapshot(self, commit: str) -> Tree:
        """The tree of a commit."""


@dataclass(slots=True)
class Standing:
    """How a source stands: the commit that is applied whole, why the newest one isn't ('' when it is), and when it was
    looked at last.
    """

    commit: str = ""
    problem: str = ""
    looked: dt.datetime | None = None


class Follower:
    """
    Follows one source. Used by one thread, but for `look_soon`; `wake` is called by another when a fetch has ended.

    `name` is '' for the first source; `poll` is in seconds between looks, give or take a tenth. `approvals`: which
    changes wait for those.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        source: Source,
        tell: Callable[[str], None],
        wake: Callable[[], None],
        standing: Standing,
        *,
        poll: float,
        approvals: Rule | None = None,
    ) -> None:
        self.name = name
        self._approvals = approvals
        self.source = source
        self.standing = standing
        self._settings = settings
        self._tell = tell
        self._poll = poll
        self._fetching = Fetching(source, wake, name)
        self._known = Known()
        self._backoff = 0.0
        self._looked = self._next_look = 0.0  # monotonic clock: the wall's may be set back by hours
        self._settled = ""  # the commit that is applied, and needs no other look
        self._asked = threading.Event()  # for a look before the next poll

    def look_soon(self) -> None:
        """Asks for a look before the next poll. Safe for threads."""
        self._asked.set()

    @property
    def fetching(self) -> bool:
        """Whether its server is being asked."""
        return self._fetching.under_way

    def close(self) -> None:
        """Ends a fetch that is under way: the mirror may be another daemon's from now on."""
        self._fetching.close()

    def look(self, facilities: Facilities, applied: Applied | None = None, *, begin: bool = True) -> bool:
        """
        Goes on with looking at the source, without waiting for it; whether a look has ended. `begin`: it may ask.

        `applied` is what is applied, where that was read: it isn't read again then, unless it is another by now.
        """
        if not self._fetching.under_way:
            if self._asked.is_set():
                self._asked.clear()
                self._next_look = min(self._next_look, self._looked + APART)
            if begin and time.monotonic() >= self._next_look:
                self.standing.looked, self._looked = _now(), time.monotonic()
                self._fetching.begin()
            return False
        if not self.standing.problem and (slow := self._fetching.slow) is not None:
            self._problem(facilities, "", slow, self._poll)
        try:
            found: str | SynclineError | None = self._fetching.take()
        except SynclineError as error:
            found = error
        if found is None:
            return False
        if applied is not None and not applied.partial:
            self._known.applies(applied.serial, applied.desired, applied.flows)
        self._next_look = time.monotonic() + self._fetched(facilities, found)
        return True

    def _fetched(self, facilities: Facilities, found: str | SynclineError) -> float:
        """Goes on with what a fetch found; the seconds until the next look."""
        pause = self._poll * random.uniform(0.9, 1.1)  # noqa: S311 - so that daemons don't ask all at once
        commit = ""
        try:
            if isinstance(found, SynclineError):
                raise found
            commit = found
            held = 0.0
            if commit != self._settled:
                with own_disk(WORK), working(f"applies {commit[:12]}"):
                    held = self._bring(facilities, commit)
            elif self.standing.problem:
                self.standing.problem = ""
                source_well(facilities.store, commit, self.name)
            self._backoff = 0.0
            return min(pause, held or pause)
        except (Waiting, Again, Followed) as error:
            if is_followed(error):
                self._say(f"{commit[:12]}: {ELSEWHERE}, and applies it where it isn't yet")
                return pause
            self._backoff = min(max(2 * self._backoff, 1.0), MAX_BACKOFF)
            self._problem(facilities, commit, error, self._backoff)
            return min(self._backoff, pause)
        except (Invalid, Denied, Stalled) as error:
            self._problem(facilities, commit, error)  # a person has to act, or the day of an exception to come
            return pause

    def _bring(self, facilities: Facilities, commit: str) -> float:
        """Plans a commit and applies the plan; where some of it has to wait, the seconds until that is tried again."""
        before, _ = facilities.store.applied_under(self.name)
        if before and before != commit:
            self.source.check_history(before, commit)
        tree = self.source.snapshot(commit)
        settings = replace(self._settings, root=tree.root, runs_from=self._settings.root)
        back_to = self.source.back_to(facilities.store.applied_before(commit, self.name), commit)
        head = Revision(commit, dirty=False, back_to=back_to)
        decisions = Decisions()
        plan = workflow.plan(settings, head=head, source=self.name, known=self._known, decisions=decisions)
        author = Author(*self.source.author(commit))
        gate = Gate(self._approvals, tree.root, lambda base: self.source.authors(base, commit))
        applied = apply_plan(
            facilities,
            plan,
            lambda line: self._step_taken(f"{commit[:12]}: {line}"),
            patient=True,
            author=author,
            gate=gate,
            decisions=decisions,
        )
        if applied.held:
            names = ", ".join(map(str, list(applied.held)[:5]))
            first = foremost(applied.held)
            self._say_once(f"{commit[:12]} is applied but for {names}, which has to wait: {first.message}")
            return next_attempt(facilities.store, applied.held, _now())
        self._settled, self.standing.commit = commit, commit
        self.standing.problem = ""
        self._say(f"{commit[:12]} is applied: {applied.steps} steps, serial {applied.serial}")
        return 0.0

    def _problem(self, facilities: Facilities, commit: str, error: SynclineError, after: float | None = None) -> None:
        if isinstance(error, Bug):
            raise error
        found = [f"{d.code} {d.place}: {d.message}" for d in getattr(error, "diagnostics", ()) if d.severity == "error"]
        text = "; ".join([f"{error.code} {error.told}", *found[:10]])
        self._say_once(f"{commit[:12]} isn't applied: {text}" if commit else text)
        with suppress(SynclineError):  # the state may be what is out of reach
            source_failed(facilities.store, commit, error, after=after, source=self.name)

    def _say_once(self, problem: str) -> None:
        """Tells of a problem once, however often it comes again."""
        if problem != self.standing.problem:
            self.standing.problem = problem
            self._say(problem)

    def _step_taken(self, line: str) -> None:
        turned()
        self._say(line)

    def _say(self, line: str) -> None:
        self._tell(f"{self.name}: {line}" if self.name else line)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
