"""Exit codes: what each means, and the one function that chooses among them.

A script can tell from the code alone what to do next: fix something (1, 2), ask somebody (3), look at the rejects (4),
try again later (5), or review a plan (10).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import TYPE_CHECKING

from syncline.model.errors import Again, Denied, SynclineError, Waiting

if TYPE_CHECKING:
    from syncline.model.diagnostic import Diagnostic
    from syncline.model.plan import Plan
    from syncline.model.run import RunState


class Exit(IntEnum):
    """The exit codes of every command."""

    ok = 0
    failed = 1
    usage = 2
    denied = 3
    rejects = 4
    unreachable = 5
    changes = 10
    interrupted = 130
    terminated = 143


MEANINGS: Mapping[Exit, str] = {
    Exit.ok: "Done, nothing to object.",
    Exit.failed: "Something declared is invalid, or what was asked for failed. Trying again won't help.",
    Exit.usage: "The command line is wrong: an unknown option, a missing argument.",
    Exit.denied: "A policy or a guard refuses it, or an approval is missing, and nothing else is wrong with it.",
    Exit.rejects: "The run finished, and some records were set aside: see `syncline runs rejects`.",
    Exit.unreachable: "A system can't be reached, or another writer is at work. Trying again later may help.",
    Exit.changes: "Something changes or differs (with --exit-code: of plan, drift, compare, runs compare and "
    "connector discover).",
    Exit.interrupted: "Interrupted from the keyboard (SIGINT). A run resumes from its last commit.",
    Exit.terminated: "Ended by SIGTERM. A run resumes from its last commit.",
}

#: Codes by which a policy (SYN5xx) or a guard (SYN62x) refuses something that is valid in itself.
_DENYING = ("SYN5", "SYN62")


def exit_code(outcome: SynclineError | RunState | Plan | Iterable[Diagnostic]) -> Exit:
    """The exit code of an outcome: an error, how a run ended, a plan (changes or not), or the findings of a check.

    Invalid comes before denied: what is wrong in itself has to be fixed whatever a policy says of it.
    """
    match outcome:
        case Denied():
            return Exit.denied
        case Waiting(on="approval"):
            return Exit.denied
        case Again() | Waiting():
            return Exit.unreachable
        case SynclineError():
            return Exit.failed
        case str():
            return _of_run(outcome)
        case plan_or_findings:
            return _of_check(plan_or_findings)


def _of_run(outcome: RunState) -> Exit:
    # Whoever has one has imported this; every other command starts faster without it.
    from syncline.model.run import RunState

    match outcome:
        case RunState.succeeded:
            return Exit.ok
        case RunState.partial:
            return Exit.rejects
        case _:
            return Exit.failed


def _of_check(outcome: Plan | Iterable[Diagnostic]) -> Exit:
    # What a run that is handed over doesn't need isn't imported for it.
    from syncline.model.diagnostic import Severity
    from syncline.model.plan import Plan

    if isinstance(outcome, Plan):
        findings = _of_check(outcome.findings)
        return findings if findings is Exit.failed else Exit.denied if outcome.denied else findings
    errors = [d.code for d in outcome if d.severity is Severity.error]
    denied = all(code.startswith(_DENYING) for code in errors)
    return Exit.ok if not errors else Exit.denied if denied else Exit.failed
