"""Objects by the names that people type."""

from __future__ import annotations

import pytest

from syncline.cli.names import FLOWS, find_object
from syncline.model.errors import Invalid
from syncline.model.key import ObjectKey

KEYS = tuple(
    ObjectKey.parse(text)
    for text in (
        "acme/Sync/tickets",
        "globex/Sync/tickets",
        "acme/Import/people",
        "acme/Mapping/people",
        "Policy/baseline",
    )
)


@pytest.mark.parametrize(
    ("text", "tenant", "found"),
    [
        ("acme/Sync/tickets", "", "acme/Sync/tickets"),
        ("acme/sync/tickets", "", "acme/Sync/tickets"),
        ("globex/tickets", "", "globex/Sync/tickets"),
        ("Sync/tickets", "globex", "globex/Sync/tickets"),
        ("tickets", "acme", "acme/Sync/tickets"),
        ("people", "", "acme/Import/people"),
        ("import/people", "", "acme/Import/people"),
    ],
)
def test_found(text, tenant, found):
    """A name means the one object that it can mean, in any spelling of the kind."""
    assert str(find_object(text, KEYS, kinds=FLOWS, tenant=tenant)) == found


def test_ambiguous():
    """A name that means several objects is refused with all of them."""
    with pytest.raises(Invalid) as caught:
        find_object("Sync/tickets", KEYS, kinds=FLOWS)

    assert caught.value.message.splitlines()[1:] == ["  acme/Sync/tickets", "  globex/Sync/tickets"]
    assert caught.value.code == "SYN650"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("Sync/tickts", "did you mean"),
        ("peopel", "did you mean acme/Import/people"),
        ("a/b/c/d", "there is no"),
        ("", "there is no"),
    ],
)
def test_unknown(text, hint):
    """A name that means nothing is refused, with the nearest when there is one."""
    with pytest.raises(Invalid, match=hint):
        find_object(text, KEYS, kinds=FLOWS)


def test_kinds_narrow():
    """A kind that can't be run is not found by a command that runs."""
    with pytest.raises(Invalid):
        find_object("Policy/baseline", KEYS, kinds=FLOWS)
    assert str(find_object("Policy/baseline", KEYS)) == "Policy/baseline"
