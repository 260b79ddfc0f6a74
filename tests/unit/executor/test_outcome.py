"""How a run ended, from whatever ended it; and the bounds that end it."""

from __future__ import annotations

import pytest

from syncline.executor.batches.guard import EMPTIED, check_rejects, check_rows, max_shrink
from syncline.executor.outcome import outcome
from syncline.kinds.sync import Guards
from syncline.model.errors import Again, Bug, Denied, Invalid, Stalled, Waiting
from syncline.model.run import Counts


@pytest.mark.parametrize(
    ("error", "event", "code"),
    [
        (Again("later"), "interrupt", "SYN700"),
        (Waiting("first another"), "interrupt", "SYN601"),
        (KeyboardInterrupt(), "interrupt", "SYN704"),
        (SystemExit(1), "interrupt", "SYN704"),
        (MemoryError(), "interrupt", "SYN704"),
        (Invalid("wrong"), "fail", "SYN200"),
        (Denied("no"), "fail", "SYN500"),
        (Stalled("credentials", code="SYN401"), "fail", "SYN401"),
        (Bug("ours"), "fail", "SYN999"),
        (ValueError("unforeseen"), "fail", "SYN999"),
    ],
)
def test_what_may_pass_interrupts_and_what_needs_a_person_fails(error, event, code):
    """Every exception has one outcome, and a message of one line."""
    ended = outcome(error)
    assert (ended.event, ended.error.code) == (event, code)
    assert ended.message
    assert "\n" not in ended.message


def test_of_an_error_that_nobody_foresaw_only_the_type_is_told():
    """Its text may be the values of a record: people at a terminal see it, and the state, log and notifications don't."""
    error = outcome(ValueError("could not convert 'ada@example.com'")).error
    assert (error.told, "ada@example.com" in error.message) == ("ValueError: …", True)


def test_lines_of_a_message_become_one():
    """As lists show it."""
    assert outcome(Again("a\n  b")).message == "a b"


@pytest.mark.parametrize(
    ("bound", "rejected", "read", "denied"),
    [
        ("5%", 5, 100, False),
        ("5%", 6, 100, True),
        ("3", 3, 10, False),
        ("3", 4, 10, True),
        (None, 10, 10, False),
        ("0", 1, 10**6, True),
    ],
)
def test_rejects_are_bounded_by_number_or_share(bound, rejected, read, denied):
    """The bound itself is allowed, one more is not."""
    guards = Guards.model_validate({"maxRejects": bound})
    counts = Counts(read=read, rejected=rejected)
    if not denied:
        check_rejects(guards, counts)
        return
    with pytest.raises(Denied) as error:
        check_rejects(guards, counts)
    assert error.value.code == "SYN701"


def test_too_few_rows_end_a_run():
    """`minRows` itself is enough."""
    guards = Guards.model_validate({"minRows": 10})
    check_rows(guards, Counts(read=10, written=10))
    with pytest.raises(Denied) as error:
        check_rows(guards, Counts(read=9, written=9))
    assert error.value.code == "SYN702"


def test_how_much_a_table_may_shrink_is_a_fraction():
    """Of a share; without a bound all but everything, unless an empty table is said to be right."""
    assert max_shrink(Guards.model_validate({"maxShrink": "20%"})) == pytest.approx(0.2)
    assert max_shrink(Guards.model_validate({})) == EMPTIED < 1
    assert max_shrink(Guards.model_validate({"minRows": 0})) is None
