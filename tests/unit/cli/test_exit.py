"""Exit codes: one function chooses them, one table explains them."""

from __future__ import annotations

import pytest

from syncline.cli.exit import MEANINGS, Exit, exit_code
from syncline.model.diagnostic import Diagnostic, Severity
from syncline.model.errors import Again, Bug, Denied, Invalid, Stalled, SynclineError, Waiting
from syncline.model.plan import Basis, Plan, PolicyResult
from syncline.model.run import RunState

BASIS = Basis("", False, "", 0, "")
INVALID = Diagnostic("SYN201", "x")
POLICY = Diagnostic("SYN501", "x")
GUARD = Diagnostic("SYN620", "x")
WARNING = Diagnostic("SYN510", "x", severity=Severity.warning)
DENIAL = PolicyResult("r", "o", allowed=False, message="m")


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Invalid("x"), Exit.failed),
        (Denied("x"), Exit.denied),
        (Again("x"), Exit.unreachable),
        (Waiting("x"), Exit.unreachable),
        (Stalled("x", code="SYN700"), Exit.failed),
        (Bug("x"), Exit.failed),
        (RunState.succeeded, Exit.ok),
        (RunState.partial, Exit.rejects),
        (RunState.failed, Exit.failed),
        (RunState.interrupted, Exit.failed),
        ((), Exit.ok),
        ((WARNING,), Exit.ok),
        ((POLICY, WARNING), Exit.denied),
        ((POLICY, INVALID), Exit.failed),
        (Plan(BASIS, (), ()), Exit.ok),
        (Plan(BASIS, (), (), policy=(DENIAL,)), Exit.denied),
        (Plan(BASIS, (), (), findings=(GUARD,)), Exit.denied),
        (Plan(BASIS, (), (), policy=(DENIAL,), findings=(INVALID,)), Exit.failed),
        (Plan(BASIS, (), (), policy=(DENIAL,), findings=(WARNING,)), Exit.denied),
    ],
    ids=str,
)
def test_exit_code(outcome, code):
    """Each outcome has the exit code that the documentation says; what is invalid comes before what is denied."""
    assert exit_code(outcome) is code


def test_every_error_has_a_code():
    """No error of the tree falls through to success."""
    kinds = SynclineError.__subclasses__()

    assert {kind.__name__ for kind in kinds} == {"Invalid", "Denied", "Again", "Waiting", "Stalled", "Bug"}


def test_every_code_is_explained():
    """The table of meanings has every exit code, once and in order."""
    assert list(MEANINGS) == list(Exit)
