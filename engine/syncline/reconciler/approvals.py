"""Approvals at an apply: which changes need one, which of the approvals in a tree count, and what exceeds them.

An approval lies in the tree that is applied, as `approvals/<digest of the effects>.json` with a signature beside it for
each approver. Anybody may put one there: what makes it count is who signed it, and who may sign is in a file on the
operator's machine, never in the tree. It counts for the state that it was made on, until it expires, and for each
object once.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from syncline.kinds.changes import Required
from syncline.model.errors import Waiting
from syncline.model.event import rfc3339
from syncline.planner.approval import Act, Approval, acts_of, approval_of, needs_approval, parse
from syncline.planner.demands import Demands
from syncline.reconciler.approvers import People
from syncline.reconciler.sshsig import Signer, key_of, sign, signed_by
from syncline.state.store import ApprovalUse

if TYPE_CHECKING:
    from syncline.model.change import Change
    from syncline.model.key import ObjectKey
    from syncline.model.plan import Plan
    from syncline.state.store import StateReader

#: The folder of approvals in a configuration repository.
FOLDER: Final = "approvals"
#: Bytes that an approval and a signature may have, and how many approvals are looked at.
_MOST, _MOST_SIGNATURE, _MANY = 16 * 1024 * 1024, 16 * 1024, 10_000
#: Signatures that ssh-keygen is asked about for one plan, beside those known to be nobody's: what anybody may put into
#: the tree can't hold up the daemon.
_CHECKS: Final = 200
_TOO_MANY: Final = f"there are more than {_CHECKS} signatures to check: remove approvals that nobody needs"
#: How many signatures of nobody are remembered.
_REMEMBERED: Final = 100_000
_NAME: Final = re.compile(r"[0-9a-f]{64}\.json")


@dataclass(frozen=True, slots=True)
class Rule:
    """
    What the operator demands: for which changes, of how many people of those in a file of SSH's allowed signers.

    `nobody` has the digests of signatures that were found to be nobody's, with what they were checked against.
    """

    approvers: Path
    required: Required = "risky"
    count: int = 1
    nobody: set[str] = field(default_factory=set, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Judged:
    """What was decided of a plan: the changes that have to wait, and the approvals that allow others.

    A change may be `unapproved` and also outside its windows (`closed`).
    `base` is the revision from which on commits count as those of the plan, and `approvers` the SHA-256 (hex) of the
    file that says who may approve.
    """

    unapproved: Mapping[ObjectKey, Waiting] = field(default_factory=dict)
    closed: Mapping[ObjectKey, Waiting] = field(default_factory=dict)
    uses: tuple[ApprovalUse, ...] = ()
    base: str = ""
    approvers: str = ""

    @property
    def blocked(self) -> dict[ObjectKey, Waiting]:
        """What has to wait; of two reasons the one that takes people, and not time alone."""
        return {**self.closed, **self.unapproved}


@dataclass(slots=True)
class Gate:
    """
    Judges plans of one commit by what the operator demands (`rule`; None for nothing, and then nobody may approve) and
    what tenants and policies do. `root` is its tree; `authors(base)` are who made the commits since then. `untold` says
    why nobody can know who made the changes, so that no approval counts; '' where it is known. `override`: a person's
    reason to apply what would have to wait; the audit log says it.
    """

    rule: Rule | None
    root: Path
    authors: Callable[[str], frozenset[str]]
    untold: Callable[[], str] = lambda: ""
    override: str = ""
    _signers: dict[str, tuple[Signer, ...]] = field(default_factory=dict)
    _checks: int = 0
    _cut: bool = False

    def judge(self, plan: Plan, reader: StateReader, demands: Demands | None = None) -> Judged:
        """Decides every change; `demands` are those of the tenants that are applied.

        `Stalled` (SYN724) where signatures can't be checked.
        """
        before, _ = reader.applied_under(plan.basis.source)
        base = reader.approval_base(plan.basis.source) or before
        demands = demands or Demands()
        closed = dict(_closed(plan, demands))
        needing = {c.key: n for c in plan.changes if (n := self._approvers(c, demands))}
        if not needing:
            return Judged({}, closed, (), base)
        now, revision = rfc3339(), plan.basis.revision
        found = [a for a in approvals_in(self.root) if any(a.act(key) for key in needing)]
        used = reader.approval_uses([a.id for a in found])
        untold = self.untold() if found else ""
        authors = self.authors(base) if found and not untold else frozenset()
        problems = {a.id: _unfit(a, plan, reader, now) for a in found}
        signed: dict[tuple[str, int], str] = {}
        self._checks, self._cut = 0, False
        blocked: dict[ObjectKey, Waiting] = {}
        allowed: dict[str, list[ObjectKey]] = {}
        for act in acts_of(plan):
            if act.key not in needing:
                continue
            count = needing[act.key]
            why = _Refusals(act, count, unknown=self.rule is None)
            for approval in found:
                by = used.get((approval.id, act.key), "")
                spent = f"it was used by {by[:12] or 'an apply'} already" if by and by != revision else ""
                problem = untold or problems[approval.id] or spent
                # Last of all: it takes a process for each signature.
                if not problem and why.covers(approval):
                    if (approval.id, count) not in signed:
                        signed[approval.id, count] = self._unsigned(approval, authors, now, count)
                    problem = signed[approval.id, count]
                if why.allows(approval, problem):
                    allowed.setdefault(approval.id, []).append(act.key)
                    break
            else:
                blocked[act.key] = why.waiting()
        uses = tuple(
            ApprovalUse(a.id, a.effects, _names(self._signers[a.id]), tuple(allowed[a.id]))
            for a in found
            if a.id in allowed
        )
        return Judged(blocked, closed, uses, base, self._who_may() if uses else "")

    def _who_may(self) -> str:
        """The digest of the file that says who may approve."""
        return hashlib.sha256(_bounded(self.rule.approvers, _MOST)).hexdigest() if self.rule is not None else ""

    def _approvers(self, change: Change, demands: Demands) -> int:
        """How many people must approve a change, by the operator and by tenants; 0 for none."""
        rule = self.rule
        mine = rule.count if rule is not None and needs_approval(change, rule.required) else 0
        return max(mine, demands.approvers(change))

    def _unsigned(self, approval: Approval, authors: frozenset[str], now: str, wanted: int) -> str:
        """Whose signatures an approval lacks; '' where it has as many as are wanted."""
        rule = self.rule
        signers = tuple(self._found(approval, now, rule)) if rule is not None else ()
        people = People.read(rule.approvers) if rule is not None and signers else People({})
        makers = people.of(authors)
        mine = [s for s in signers if people.of((*s.names, s.key)) & makers]
        others = tuple(s for s in signers if s not in mine)
        self._signers[approval.id] = others
        # Neither two keys of a person nor two names for a key make two people.
        count = min(len({s.key for s in others}), people.number(s.names for s in others))
        if count >= wanted:
            return ""
        if mine:
            return f"{mine[0].names[0]} is an author of what is approved"
        if self._cut:
            return _TOO_MANY
        return f"{count} of {wanted} approvers signed it"

    def _found(self, approval: Approval, now: str, rule: Rule) -> Iterator[Signer]:
        """Who signed an approval, of those who may; within the bounds of what is looked at."""
        nobody = rule.nobody
        about = (approval.id.encode(), _bounded(rule.approvers, _MOST), now[:13].encode())
        for path in sorted((self.root / FOLDER).glob(f"{approval.effects}.*.sig"))[:50]:
            signature = _bounded(path, _MOST_SIGNATURE)
            if not signature:
                continue
            # By the hour, since keys may be listed for a time; who signed is asked each time.
            known = hashlib.sha256(b"\0".join((*about, signature))).hexdigest()
            if known in nobody:
                continue
            if self._checks >= _CHECKS:
                self._cut = True
                return
            self._checks += 1
            found = signed_by(approval.text, path, rule.approvers)
            if found is not None:
                yield found
                continue
            if len(nobody) >= _REMEMBERED:
                nobody.clear()
            nobody.add(known)


def _closed(plan: Plan, demands: Demands) -> Iterator[tuple[ObjectKey, Waiting]]:
    """Changes that may not be applied now, by the windows of a tenant or a policy."""
    now = dt.datetime.now(dt.UTC)
    for change in plan.changes:
        if who := demands.closed(change, now):
            yield (
                change.key,
                Waiting(
                    f"{change.key} may not change now: {who} has windows for changes",
                    code="SYN692",
                    help="Apply it in the next window; a daemon does so by itself. Where it can't wait, whoever can "
                    "answer for it gives `syncline apply --override REASON`, which the audit log says.",
                    on="window",
                ),
            )


def _unfit(approval: Approval, plan: Plan, reader: StateReader, now: str) -> str:
    """Why an approval doesn't count, whoever signed it; '' where it does."""
    if approval.environment != plan.basis.environment:
        return f"it is for the environment {approval.environment or 'none'!r}"
    # What was approved before there was a state may begin one.
    if approval.lineage != reader.lineage and (approval.lineage or reader.serial()):
        return "it was made on another state"
    return f"it expired at {approval.expires}" if approval.expires <= now else ""


def _names(signers: tuple[Signer, ...]) -> tuple[str, ...]:
    return tuple(sorted({name for signer in signers for name in signer.names}))


@dataclass(slots=True)
class _Refusals:
    """Why no approval allows an act: the one that comes nearest is told. `unknown`: nobody knows who may approve."""

    act: Act
    count: int
    unknown: bool = False
    _rank: int = 0
    _why: str = ""

    def covers(self, approval: Approval) -> bool:
        """Whether the act is among what was approved."""
        approved = approval.act(self.act.key)
        return approved is not None and not self.act.beyond(approved)

    def allows(self, approval: Approval, problem: str) -> bool:
        """Whether an approval allows the act."""
        approved = approval.act(self.act.key)
        if approved is None:
            return False
        beyond = self.act.beyond(approved)
        name = f"approval {approval.effects[:12]}"
        if problem and not beyond:
            self._note(4 if problem == _TOO_MANY else 3, f"{name} doesn't count: {problem}")
        elif beyond:
            self._note(1 if problem else 2, f"{name} doesn't cover it: {beyond}")
        return not problem and not beyond

    def _note(self, rank: int, why: str) -> None:
        if rank > self._rank:
            self._rank, self._why = rank, why

    def waiting(self) -> Waiting:
        """What the change waits for."""
        people = "a person" if self.count == 1 else f"{self.count} people"
        why = self._why or f"no approval of {people} is there"
        if self.unknown:
            why = f"a tenant or a policy demands that of {people}; nobody said here who may approve (--approvers)"
        code = {0: "SYN720", 1: "SYN721", 2: "SYN721", 3: "SYN722", 4: "SYN722"}[self._rank]
        return Waiting(
            f"{self.act.key} needs approval to {self.act.action}, and {why}",
            code=code,
            help="Have somebody who may, and who isn't an author, run `syncline approve`; push what it writes.",
            on="approval",
        )


def approvals_in(root: Path) -> Iterator[Approval]:
    """The approvals in a tree, in the order of their names. What isn't one is passed over."""
    folder = root / FOLDER
    names = sorted(p.name for p in folder.iterdir() if _NAME.fullmatch(p.name)) if folder.is_dir() else []
    for name in names[:_MANY]:
        data = _bounded(folder / name, _MOST)
        try:
            approval = parse(data)
        except ValueError:
            continue
        if f"{approval.effects}.json" == name:
            yield approval


def _bounded(path: Path, most: int) -> bytes:
    if path.is_symlink() or not path.is_file():
        return b""
    with path.open("rb") as file:
        data = file.read(most + 1)
    return data if len(data) <= most else b""


def approve(root: Path, plan: Plan, key: Path, days: float, *, renew: bool = False) -> tuple[Approval, Path]:
    """
    Signs the approval of all effects of a plan with an SSH key, and gives it with the file of the signature.

    One that is there for the same effects on the same state and hasn't expired is signed as well, unless `renew`.
    """
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    fresh = approval_of(plan, rfc3339(now), rfc3339(now + dt.timedelta(days=days)))
    known = next((a for a in approvals_in(root) if a.effects == fresh.effects and a.lineage == fresh.lineage), None)
    keep = known is not None and not renew and known.expires > fresh.made
    chosen = known if known is not None and keep else fresh
    signature = sign(chosen.text, key)
    folder = root / FOLDER
    folder.mkdir(exist_ok=True)
    if not keep:
        for old in folder.glob(f"{chosen.effects}.*.sig"):
            old.unlink()
        (folder / f"{chosen.effects}.json").write_bytes(chosen.text)
    path = folder / f"{chosen.effects}.{key_of(signature)}.sig"
    path.write_bytes(signature)
    return chosen, path
