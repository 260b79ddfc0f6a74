"""What may be written at a place: `|` is the cursor."""

from __future__ import annotations

import pytest

from syncline.editor.completion import choices
from syncline.editor.cursor import slots_at
from tests.repository import CUSTOMERS, desired

TENANT = "apiVersion: syncline/v1\nkind: {}\nmetadata: {{name: x, tenant: acme}}\nspec:\n"
IMPORT, MAPPING, INTEGRATION = (TENANT.format(kind) for kind in ("Import", "Mapping", "Integration"))
SCHEDULE, TENANTS = TENANT.format("Schedule"), "apiVersion: syncline/v1\nkind: Tenant\nmetadata: {name: x}\nspec:\n"


def offered(text: str) -> set[str]:
    """What is offered at the `|` of a text."""
    offset = text.index("|")
    content = text.replace("|", "", 1)
    found = [choices(slot, (desired(CUSTOMERS),)) for slot in slots_at(content, offset)]
    return {choice.label for each in found for choice in each}


CASES = {
    "an empty file": ("|", {"apiVersion", "kind", "metadata", "spec"}),
    "the envelope, beside what is there": ("apiVersion: syncline/v1\n|", {"kind", "metadata", "spec"}),
    "a kind": ("apiVersion: syncline/v1\nkind: |", {"Sync", "Import", "Tenant"}),
    "a kind, begun": ("apiVersion: syncline/v1\nkind: Sy|\nmetadata: {name: x}", {"Sync"}),
    "the language": ("apiVersion: |", {"syncline/v1"}),
    "a field of metadata in braces": ("kind: Import\nmetadata: {name: x, |}", {"tenant", "labels", "protected"}),
    "a field of metadata in braces that are open": ("kind: Import\nmetadata: {name: x, te|", {"tenant", "labels"}),
    "a field of a spec": (IMPORT + "  from: crm/customers\n  |", {"mapping", "to", "guards", "write"}),
    "a field of a spec, begun, with more below": (IMPORT + "  fro|\n  mapping: x\n", {"from", "to"}),
    "a field that has its colon": (IMPORT + "  ma|: x\n", {"mapping"}),
    "a field of a mapping in a list": (
        MAPPING + "  key: [id]\n  fields:\n  - to: id\n    |",
        {"from", "class", "check"},
    ),
    "a field of a mapping in a list in braces": (MAPPING + "  fields:\n  - {to: id, |}\n", {"from", "class", "check"}),
    "the first field after a dash": (MAPPING + "  fields:\n  - |", {"to", "from"}),
    "one of several values": (IMPORT + "  write: |", {"upsert", "append"}),
    "a value in braces": (IMPORT.replace("spec:\n", "spec: {from: a/b, write: |}\n"), {"upsert", "append"}),
    "true or false": ("kind: Import\nmetadata:\n  protected: |", {"true", "false"}),
    "a tenant": ("kind: Import\nmetadata: {name: x, tenant: |}", {"acme"}),
    "a mapping": (IMPORT + "  mapping: |\n  to: x/y\n", {"customer"}),
    "streams of integrations": (IMPORT + "  from: |", {"crm/customers", "warehouse/"}),
    "a stream, begun": (IMPORT + "  from: crm/cu|st\n", {"crm/customers"}),
    "a connector with its version": (INTEGRATION + "  connector: |", {"sqlite@^1.0.0", "file@^1.0.0"}),
    "flows that a schedule starts": (SCHEDULE + "  run: [|]\n", {"Import/customers"}),
    "flows in a list of lines": (SCHEDULE + "  run:\n  - |", {"Import/customers"}),
    "packs": (TENANTS + "  policies: [|", {"gdpr", "baseline"}),
    "the second of several documents": (CUSTOMERS["files.yaml"] + "---\nkind: Im|", {"Import"}),
    "after a document with a mistake": ("a: [\n---\nkind: |", {"Import"}),
    "before a mistake in the same document": (IMPORT + "  write: |\n  to: [", {"upsert"}),
    "after a word without end": (IMPORT + "  description: " + "a" * 500_000 + "\n  write: |", {"upsert"}),
    "characters beyond the basic plane before it": ('kind: Import\nmetadata: {name: "😀", |}', {"tenant"}),
}


@pytest.mark.parametrize(("text", "wanted"), CASES.values(), ids=CASES)
def test_what_is_offered(text, wanted):
    """Among what is offered is what belongs there."""
    assert wanted <= offered(text)


NOTHING = {
    "in a text": IMPORT + "  description: some |",
    "names that are free": MAPPING + "  lookups:\n    |",
    "a kind that there isn't": "kind: Snyc\nspec:\n  |",
    "a number": IMPORT + "  guards:\n    maxRejects: |",
    "a comment": IMPORT + "  # see |",
}


@pytest.mark.parametrize("text", NOTHING.values(), ids=NOTHING)
def test_nothing_is_offered_where_anything_may_stand(text):
    """Nobody is led to write what has no meaning."""
    assert offered(text) == set()


def test_fields_that_are_there_are_not_offered_again():
    """A field stands once in a mapping."""
    assert not {"from", "mapping"} & offered(IMPORT + "  from: a/b\n  mapping: c\n  |")


def test_of_variants_the_one_that_is_meant_is_offered():
    """An AuthConfig of one type has other fields than one of another."""
    auth = TENANT.format("AuthConfig")

    assert "tokenUrl" in offered(auth + "  type: oauth2\n  |") or "tokenUrl" in offered(auth + "  |")
    assert "tokenUrl" not in offered(auth + "  type: basic\n  |")


def test_names_of_other_tenants_are_not_offered():
    """What another tenant owns isn't named, as in findings."""
    assert offered(IMPORT.replace("tenant: acme", "tenant: globex") + "  from: |") == set()


def test_the_word_that_is_replaced_is_the_whole_one():
    """Also the part after the cursor, with its stream or its version."""
    text = IMPORT + "  from: crm/cu|stomers # x\n"
    offset = text.index("|")
    content = text.replace("|", "")
    (slot,) = slots_at(content, offset)

    assert content[slot.begin : slot.end] == "crm/customers"
