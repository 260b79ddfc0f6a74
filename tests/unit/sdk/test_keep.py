"""Keeping idle things."""

from __future__ import annotations

from syncline.sdk.keep import Keep


class Thing:
    closed = False

    def close(self) -> None:
        self.closed = True


def test_given_back_and_taken():
    """What was given back is handed out once, under its own key only."""
    keep, thing = Keep(), Thing()
    keep.give("a", thing)

    assert keep.take("b", Thing) is None
    assert keep.take("a", Thing) is thing
    assert keep.take("a", Thing) is None
    assert not thing.closed


def test_no_room():
    """What there is no room for is closed."""
    keep, things = Keep(limit=2), [Thing() for _ in range(3)]
    for thing in things:
        keep.give("a", thing)

    assert [thing.closed for thing in things] == [False, False, True]


def test_closed():
    """Closing closes what is idle and what is given back later."""
    first, second = Thing(), Thing()
    with Keep() as keep:
        keep.give("a", first)
    keep.give("a", second)

    assert first.closed
    assert second.closed
