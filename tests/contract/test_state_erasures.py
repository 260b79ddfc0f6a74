"""What every state store promises of requests to erase somebody, tried on both databases."""

from __future__ import annotations

from msgspec.structs import replace

from syncline.model.erasure import Erasure, ErasurePlace
from syncline.model.key import ObjectKey

ONE = Erasure("e1", "acme", "customer", "ab12", "2026-11-26T10:00:00.000000Z")
ORDERS = ErasurePlace(ObjectKey("acme", "Sync", "orders"), "warehouse/orders", "email", "begun", 3, 1)
LETTERS = ErasurePlace(ObjectKey("acme", "Sync", "letters"), "api/letters", "to", "open", message="by hand \0")


def test_a_request_is_kept_with_its_places(store):
    """Places are added and changed one by one; what isn't given again stays."""
    book = store.erasures()
    assert (book.find("e1"), book.unfinished("acme", "ab12"), book.listed("", 5)) == (None, None, ())
    book.put(ONE)
    book.put(replace(ONE, places=(ORDERS,)))
    book.put(replace(ONE, places=(LETTERS,)))
    book.put(replace(ONE, places=(replace(ORDERS, state="erased"),)))
    found = book.find("e1")
    assert found is not None
    assert [(p.key.name, p.state, p.rows, p.rejects) for p in found.places] == [
        ("letters", "open", 0, 0),
        ("orders", "erased", 3, 1),
    ]
    assert found.places[0].message == "by hand \ufffd"
    assert not found.complete


def test_the_unfinished_request_about_a_person_is_found(store):
    """It is that of the same tenant and person, until it is finished; the list is newest first."""
    book = store.erasures()
    book.put(ONE)
    book.put(replace(ONE, id="e2", tenant="other", begun="2026-11-26T11:00:00.000000Z"))
    assert book.unfinished("acme", "ab12") == ONE
    assert book.unfinished("acme", "ab13") is None
    book.put(replace(ONE, finished="2026-11-26T12:00:00.000000Z"))
    assert book.unfinished("acme", "ab12") is None
    assert [r.id for r in book.listed("", 5)] == ["e2", "e1"]
    assert [r.id for r in book.listed("acme", 5)] == ["e1"]
    assert [r.id for r in book.listed("", 1)] == ["e2"]
