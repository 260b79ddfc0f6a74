"""Personal data that flows write."""

from __future__ import annotations

import pytest

from syncline.planner.compiled import compile_flows
from syncline.planner.personal import personal_classes, untold
from tests import repository

EMAIL = "class: pii.email"
TOLD = repository.MAPPING.replace("name: customer,", "name: other,").replace(
    "key: [id]", "key: [id]\n  subject: {customer: email}"
)


def flows(field, more=""):
    """The flows of a repository whose e-mail address is mapped so."""
    texts = repository.edited("mapping.yaml", EMAIL, field)
    return compile_flows(repository.desired(texts | {"more.yaml": more}))


@pytest.mark.parametrize(
    ("field", "classes"),
    [
        (EMAIL, ("pii.email",)),
        ("class: phi.health", ("phi.health",)),
        ("class: pii.email, protect: {hash: tenant}", ("pii.email",)),
        ("class: pii.email, protect: {tokenize: tenant}", ("pii.email",)),
        ("class: pii.email, protect: mask", ()),
        ("class: pii.email, protect: drop", ()),
        ("class: pci.pan", ()),
        ("class: piiother", ()),
    ],
)
def test_classes_by_which_a_person_may_be_told(field, classes):
    """Personal classes count unless what is written tells nobody; a keyed hash and a token tell who it is."""
    (item,) = flows(field).values()
    assert personal_classes(item) == classes


def test_a_mapping_is_told_of_beside_one_that_declares_a_subject():
    """A mapping without a subject is a finding only where another of the tenant has one."""
    assert list(untold(flows(EMAIL))) == []
    run = repository.IMPORT.replace("name: customers", "name: others").replace("mapping: customer", "mapping: other")
    (found,) = untold(flows(EMAIL, f"{TOLD}---\n{run}"))
    assert (found.code, found.subject) == ("SYN917", "acme/Mapping/customer")
