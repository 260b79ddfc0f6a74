"""Proposes what somebody did at a destination as a commit on a branch, where `drift: {tables: adopt}` declares that.

There is one branch for an object. It is updated when something else differs, or when what is followed has moved on so
that the commit doesn't fit any more. It is left alone where it says what it should, and for good where somebody else
put a commit on it. Where somebody deleted it the proposal was declined, and isn't made again for the same reason.
Nothing is merged here, and no branch is deleted.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from syncline.daemon.git.branches import CAUSE, Draft
from syncline.drift import ONLY
from syncline.kinds.mapping import MappingSpec
from syncline.manifests.demands.adoption import declared_as
from syncline.model.drift import as_left
from syncline.model.errors import Again, Invalid, SynclineError
from syncline.model.event import Action, EventOutcome, rfc3339
from syncline.model.proposal import BRANCHES, Proposal
from syncline.validation import validate_beside

if TYPE_CHECKING:
    from syncline.daemon.git.branches import Branches
    from syncline.executor.engine import Engine
    from syncline.model.drift import ObjectDrift
    from syncline.model.key import ObjectKey
    from syncline.state.store import StateStore

WAITS, FAILED, DECIDED = "SYN728", "SYN729", ""


class Proposer(Struct, frozen=True):
    """
    Proposes for a daemon. Safe for threads. `branches` gives those of a source by its name, None where commits can't be
    proposed to it; `tell` is told what was pushed.
    """

    engine: Engine
    store: StateStore
    branches: Callable[[str], Branches | None]
    tell: Callable[[str], None]

    def propose(self, found: ObjectDrift) -> None:
        """Has what was found of a flow be proposed, and notes how it stands. What can't be is noted, and not raised."""
        key, columns = found.key, found.adoptable
        known = self.store.proposals().of(key)
        cause = _cause(key, columns)
        branch = branch_of(self.engine.facilities.settings.environment, key)
        try:
            if len(columns) < len(found.acted):
                others = [one.place for one in found.acted if one.place.removeprefix("column ") not in columns]
                raise Invalid(f"{', '.join(others)} can't be adopted", code="SYN752", help=ONLY)
            standing = self._proposed(key, columns, cause, branch, known)
        except Again as error:
            if known is not None and known.cause == cause:
                return  # what was known still is, as far as anybody can tell
            standing = Proposal(cause, branch, "", FAILED, _failed(error), rfc3339())
        except (SynclineError, OSError) as error:
            standing = Proposal(cause, branch, "", FAILED, _failed(error), rfc3339())
        if known is None or structs.replace(known, changed="") != structs.replace(standing, changed=""):
            self.store.proposals().put(key, standing)

    def _proposed(
        self, key: ObjectKey, columns: dict[str, str], cause: str, branch: str, known: Proposal | None
    ) -> Proposal:
        applied = self.engine.applied()
        mapping = applied.flow(key).flow.mapping.key
        source = applied.objects[mapping].source
        there = self.branches(source)
        if there is None:
            raise Invalid("its manifests aren't in a Git repository that is followed", code="SYN729")
        base = there.base()

        def standing(tip: str, code: str, said: str) -> Proposal:
            return Proposal(cause, branch, tip, code, said, rfc3339())

        root = there.repository.snapshot(base).root
        file, text = declared_as(root, mapping, columns)
        if not text:
            return standing("", DECIDED, f"{base[:12]} declares it as it is there, and isn't applied yet")
        waits = f"a commit {as_left(columns)} is proposed on branch {branch}"
        tip = there.tip(branch)
        if tip is not None and not tip.cause and not there.merged(tip.commit, base):
            return standing(tip.commit, WAITS, f"somebody went on with branch {branch}")
        if tip is not None and tip.cause == cause and there.same(file, tip.base, base):
            if known is None or known.tip != tip.commit:  # pushed by one that was killed, or by another
                self._record(key, branch, tip.commit, base, cause)
            return standing(tip.commit, WAITS, waits)
        if tip is None and known is not None and known.cause == cause and known.tip:
            said = f"branch {branch}, which declared it as it is there, was deleted: that was declined"
            return standing(known.tip, DECIDED, said)
        self._check(root, file, text, source, mapping, columns)
        others = [other for other, item in applied.flows.items() if item.flow.mapping.key == mapping and other != key]
        message = _message(key, mapping, columns, cause, others)
        draft = Draft(base, file, text, message)
        commit = self._push(there, key, branch, draft, tip.commit if tip is not None else "", cause)
        self.tell(f"{key}: {waits}, {commit[:12]}")
        return standing(commit, WAITS, waits)

    def _push(self, there: Branches, key: ObjectKey, branch: str, draft: Draft, expected: str, cause: str) -> str:
        try:
            commit = there.push(branch, draft, expected)
        except SynclineError as error:
            self._record(key, branch, "", draft.base, cause, error.code)
            raise
        self._record(key, branch, commit, draft.base, cause)
        return commit

    def _record(self, key: ObjectKey, branch: str, commit: str, base: str, cause: str, code: str = "") -> None:
        recorder = self.engine.facilities.recorder
        outcome = EventOutcome.failure if code else EventOutcome.success
        about = {"branch": branch, "commit": commit, "base": base, "cause": cause, "code": code}
        recorder.record([recorder.event(Action.drift_adopt, outcome=outcome, key=key, **about)])

    def _check(
        self, root: Path, file: str, text: str, source: str, mapping: ObjectKey, columns: dict[str, str]
    ) -> None:
        """`Invalid` where the configuration with this file isn't valid, or another file declares the columns again."""
        with tempfile.TemporaryDirectory() as aside:
            tree = Path(shutil.copytree(root, Path(aside) / "tree"))
            (tree / file).write_text(text, encoding="utf-8")
            found = validate_beside(replace(self.engine.facilities.settings, root=tree), source)
        if not found.ok:
            first = next(finding for finding in found.diagnostics if finding.severity == "error")
            raise Invalid(f"the commit wouldn't be valid: {first.code} at {first.place}", code="SYN752")
        spec = found.desired.objects[mapping].spec
        assert isinstance(spec, MappingSpec)
        if again := sorted(field.to for field in spec.fields if columns.get(field.to, field.type) != field.type):
            raise Invalid(f"an overlay declares {', '.join(again)} again", code="SYN752")


def branch_of(environment: str, key: ObjectKey) -> str:
    """The branch on which is proposed what an object's drift is adopted by.

    >>> from syncline.model.key import ObjectKey
    >>> branch_of("prod", ObjectKey("acme", "Sync", "orders"))
    'syncline/adopt/prod/acme/Sync/orders'
    """
    return f"{BRANCHES}{environment}/{key}" if environment else f"{BRANCHES}{key}"


def _cause(key: ObjectKey, columns: dict[str, str]) -> str:
    said = sorted(f"{column}: {kind}" if kind else column for column, kind in columns.items())
    return hashlib.sha256("\0".join([str(key), *said]).encode()).hexdigest()[:32]


def _message(
    key: ObjectKey, mapping: ObjectKey, columns: dict[str, str], cause: str, others: Sequence[ObjectKey]
) -> str:
    dropped = ", ".join(name for name, kind in columns.items() if not kind)
    retyped = ", ".join(name for name, kind in columns.items() if kind)
    did = " and ".join(
        said.format(names) for said, names in (("dropped {}", dropped), ("gave {} another type", retyped)) if names
    )
    also = f"\n\nThe mapping is also that of {', '.join(map(str, others[:5]))}" if others else ""
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    tail = ", which change with it." if others else ""
    return (
        f"Adopt {mapping} {as_left(columns)}\n\n"
        f"Somebody {did} at the destination of {key}. Merging this declares the table\n"
        f"as it is now; deleting the branch declines that.{also}{more}{tail}\n\n{CAUSE}: {cause}"
    )


def _failed(error: SynclineError | OSError) -> str:
    why = f"{error.code} {error.told}" if isinstance(error, SynclineError) else error.strerror or type(error).__name__
    return f"a commit that declares it as it is there couldn't be proposed: {' '.join(why.split())}"
