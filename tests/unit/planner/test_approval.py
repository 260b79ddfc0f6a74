"""What an approval is about: the same effects have the same digest, and more than was approved is found out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from syncline.model.change import Effect, EffectKind
from syncline.model.key import ObjectKey
from syncline.model.step import RestoreCursor
from syncline.planner.approval import acts_of, approval_of, effects_digest, needs_approval, parse
from tests.repository import CUSTOMERS, edited
from tests.unit.planner.states import applied, planned

FLOW = ObjectKey("acme", "Import", "customers")
OTHER_TABLE = edited("import.yaml", "to: warehouse/customers", "to: warehouse/people")
PLAIN = edited("mapping.yaml", "{to: name, from: name}", "{to: name, from: name, default: nobody}")
MORE = edited(
    "mapping.yaml", "{to: name, from: name}", "{to: name, from: name}\n  - {to: also, from: name}", OTHER_TABLE
)
GONE = {name: text for name, text in CUSTOMERS.items() if name != "import.yaml"}


def approval(plan):
    return approval_of(plan, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")


def risky(plan):
    return {str(c.key) for c in plan.changes if needs_approval(c, "risky")}


def test_the_digest_is_of_effects_and_not_of_circumstances():
    """Another serial, revision or number of records read gives the same digest."""
    plan = planned(OTHER_TABLE, applied(CUSTOMERS, read={FLOW: 12}))
    later = planned(OTHER_TABLE, replace(applied(CUSTOMERS, read={FLOW: 99}), serial=77))

    assert effects_digest(later) == effects_digest(plan)
    assert effects_digest(planned(MORE, applied(CUSTOMERS, read={FLOW: 12}))) != effects_digest(plan)


def test_another_environment_is_another_digest():
    """What is approved for one environment isn't for another."""
    plan = planned(OTHER_TABLE, applied(CUSTOMERS))

    assert effects_digest(
        structs.replace(plan, basis=structs.replace(plan.basis, environment="prod"))
    ) != effects_digest(plan)


def test_an_approval_reads_back():
    """The file is one line, and gives the same approval."""
    made = approval(planned(OTHER_TABLE, applied(CUSTOMERS, read={FLOW: 12})))

    assert parse(made.text) == made
    assert made.text.count(b"\n") == 1


@pytest.mark.parametrize(
    "altered",
    [
        lambda text: text.replace(b"2026-02-01", b"2036-02-01").replace(b'"digest":"', b'"digest":"0'),
        lambda text: text + b"\n",
        lambda text: text.replace(b'"serial":5', b'"serial":"5"'),
        lambda _: b"[]",
        lambda _: b"not json",
        lambda _: b"[" * 100_000,
        lambda text: text.replace(b'"version"', b'"more":1,"version"'),
    ],
)
def test_what_is_no_approval_is_none(altered):
    """A file that was altered, or isn't in the one form, is refused."""
    with pytest.raises(ValueError, match=r"approval|Expecting|Extra data"):
        parse(altered(approval(planned(OTHER_TABLE, applied(CUSTOMERS, read={FLOW: 12}))).text))


def test_what_is_beyond_an_approval():
    """Fewer effects are among the approved ones; another action, effect or declaration isn't."""
    state = applied(CUSTOMERS, read={FLOW: 12})
    (moved,) = acts_of(planned(OTHER_TABLE, state))
    (gone,) = acts_of(planned(GONE, state))
    fewer = structs.replace(moved, effects=frozenset(list(moved.effects)[:1]))

    assert moved.beyond(moved) == ""
    assert fewer.beyond(moved) == ""
    assert "cursor-reset of acme/Import/customers" in moved.beyond(structs.replace(moved, effects=frozenset()))
    assert gone.beyond(moved) == "delete instead of replace"
    assert structs.replace(moved, declaration="00").beyond(moved) == "it is declared differently"


def test_an_approval_of_going_back_is_of_one_commit():
    """Going back to the position under another commit is beyond it, and another digest; how much was read since isn't."""
    plan = planned(PLAIN, applied(CUSTOMERS, read={FLOW: 12}))

    def back(commit, read="9 records"):
        effect = Effect(EffectKind.cursor_restored, str(FLOW), f"since then it read {read}", "state")
        changes = tuple(structs.replace(c, effects=(*c.effects, effect)) for c in plan.changes)
        return structs.replace(plan, changes=changes, steps=(RestoreCursor(FLOW, commit), *plan.steps))

    (one,), (same,), (other,) = acts_of(back("1" * 40)), acts_of(back("1" * 40, "99 records")), acts_of(back("2" * 40))

    assert same.beyond(one) == ""
    assert other.beyond(one) == f"its position goes back to where it was under {'2' * 40}"
    assert effects_digest(back("1" * 40)) != effects_digest(back("2" * 40))


def test_what_is_risky():
    """What resets, deletes, opens up or bounds is; what only changes values of a column isn't."""
    state = applied(CUSTOMERS, read={FLOW: 12})

    assert risky(planned(OTHER_TABLE, state)) == {"acme/Import/customers"}
    assert risky(planned(GONE, state)) == {"acme/Import/customers"}
    assert risky(planned(PLAIN, state)) == set()
    assert risky(planned(edited("tenant.yaml", "eu-*", "us-*"), state)) == {"Tenant/acme"}
