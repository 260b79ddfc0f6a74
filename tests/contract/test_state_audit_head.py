"""What every state store promises of the audit log's size, tried on both databases."""

from __future__ import annotations


def test_the_largest_size_is_kept(store):
    """A size is kept with its root; a smaller or an equal one changes nothing, unless the log begins anew from there."""
    assert store.audit_head() == (0, "")
    store.note_audit_head(7, "aa")
    store.note_audit_head(5, "bb")
    store.note_audit_head(7, "cc")
    assert store.audit_head() == (7, "aa")
    store.note_audit_head(9, "dd")
    assert store.audit_head() == (9, "dd")
    store.note_audit_head(6, "ee", anew=True)
    assert store.audit_head() == (6, "ee")


def test_others_see_it(where, store):
    """Another process with the same state sees what was noted."""
    store.note_audit_head(3, "aa")
    assert where.store().audit_head() == (3, "aa")
