"""What every state store promises of people who aren't to come back, tried on both databases."""

from __future__ import annotations

from dataclasses import replace

from syncline.model.suppression import Suppression

ONE = Suppression("e1", "acme", "customer", "ab12", "2026-11-26T10:00:00.000000Z", b"sealed")
LIFTED = replace(ONE, sealed=None, lifted="2026-11-27T10:00:00.000000Z", by="Eva", reason="came back \0")


def test_who_is_suppressed_is_asked_by_tenant_and_kind(store):
    """Only those of the tenant and of these kinds count, and none whose suppression was lifted."""
    book = store.suppressions()
    assert (book.find("e1"), book.about("acme", "ab12"), store.suppressed("acme", ["customer"])) == (None, None, ())
    book.put(ONE)
    book.put(replace(ONE, id="e2", tenant="other"))
    assert store.suppressed("acme", ["customer", "employee"]) == (ONE,)
    assert store.suppressed("acme", ["employee"]) == ()
    assert store.suppressed("acme", []) == ()
    assert book.about("acme", "ab12") == ONE
    book.put(replace(ONE, sealed=b"more"))
    assert book.find("e1") == replace(ONE, sealed=b"more")


def test_what_was_lifted_stays_lifted(store):
    """A suppression that was lifted is listed with why, counts no more, and can't be put back."""
    book = store.suppressions()
    book.put(ONE)
    book.put(LIFTED)
    book.put(ONE)
    assert book.find("e1") == replace(LIFTED, reason="came back \ufffd")
    assert (store.suppressed("acme", ["customer"]), book.about("acme", "ab12")) == ((), None)
    book.put(replace(ONE, id="e3", since="2026-11-28T10:00:00.000000Z"))
    assert [one.id for one in book.listed("acme", 5)] == ["e3", "e1"]
    assert [one.id for one in book.listed("", 1)] == ["e3"]
