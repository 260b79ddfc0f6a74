"""How far a subscription is: no event is passed over, none dealt with twice, in whatever order numbers appear."""

from __future__ import annotations

import random

from syncline.notify.position import MISSING, PATIENCE, Position


def test_numbers_that_appear_late_are_dealt_with_once():
    """Transactions that end in another order than their numbers: each number is news exactly once."""
    chance = random.Random(3)
    for _ in range(50):
        there: list[int] = []
        todo = list(range(1, 60))
        dealt: list[int] = []
        position, now = Position(0), 0.0
        while todo:
            # Up to five are under way at a time, and any of them may be the next to appear.
            there.append(todo.pop(chance.randrange(min(5, len(todo)))))
            now += 1.0
            if chance.random() < 0.5:
                news = position.news([n for n in sorted(there) if n > position.start])
                dealt += news
                position = Position.loads(position.dealt(news, now).dumps())
        news = position.news([n for n in sorted(there) if n > position.start])
        assert sorted([*dealt, *news]) == list(range(1, 60))


def test_numbers_that_never_appear_are_given_up():
    """What a transaction that was undone left out isn't waited for for ever, and there aren't ever many of them."""
    position = Position(0).dealt((1, 2, 5), 0.0)
    assert position.missing == ((3, 0.0), (4, 0.0))
    assert position.start == 2
    assert position.dealt((), PATIENCE).missing == ()
    assert len(position.dealt((5 + MISSING,), 1.0).missing) <= MISSING
    assert position.dealt((10_000,), 1.0).missing == ((3, 0.0), (4, 0.0))
