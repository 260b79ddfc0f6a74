"""`explain`: codes, kinds and fields, and what is said of those that there aren't."""

from __future__ import annotations

import pytest

from syncline.kinds import KIND_BY_NAME
from syncline.manifests import fields
from syncline.manifests.explain import explain_code, explain_path
from syncline.manifests.load import load_text
from syncline.model.codes import CODES
from syncline.model.errors import Invalid


def test_code():
    """A code is explained in any case of letters."""
    assert explain_code("syn201") is CODES["SYN201"]


def test_kind():
    """A kind has its summary, its fields and an example; its plural and lower case name it as well."""
    found = explain_path("Sync")

    assert found.type == "of a tenant"
    assert [line.name for line in found.fields][:3] == ["from", "mapping", "to"]
    assert [line.required for line in found.fields][:4] == [True, True, True, False]
    assert found.example.startswith("apiVersion: syncline/v1\nkind: Sync\n")
    assert explain_path("syncs") == explain_path("sync") == found


def test_field():
    """A field has its type, values, default and form."""
    assert explain_path("Sync.guards.maxRejects").form == "A share (1%) or a count (500)."
    assert explain_path("Sync.spec.write").values == ("append", "upsert", "replace")
    assert explain_path("Sync.write").default == "upsert"
    assert explain_path("Sync.from").required
    assert explain_path("Sync.metadata.labels").description == "For selecting, listing and policies."


@pytest.mark.parametrize(
    "path",
    ["Mapping.fields.check", "Mapping.spec.fields[0].check", "Mapping.fields.*.check", "Mapping/fields/check"],
)
def test_steps_into_lists(path):
    """Steps into lists and maps may be left out, or be a position or a star."""
    assert explain_path(path).path == "Mapping.fields.check"
    assert explain_path("Connector.streams.tickets.page").path == "Connector.streams.page"


def test_variants():
    """A kind with variants shows the fields of all of them; only what all need is required."""
    lines = {line.name: line for line in explain_path("AuthConfig").fields}

    assert lines["type"].type.startswith("one of api_key, basic, bearer, oauth2, ")
    assert lines["type"].required
    assert not lines["token"].required


@pytest.mark.parametrize(
    ("path", "suggestion"),
    [("Snyc", "Sync"), ("Sync.gards", "Sync.guards"), ("Mapping.fields.chek", "Mapping.fields.check")],
)
def test_unknown(path, suggestion):
    """An unknown path is answered with what was probably meant."""
    with pytest.raises(Invalid) as caught:
        explain_path(path)

    assert (caught.value.code, caught.value.help) == ("SYN252", f"Did you mean {suggestion}?")


def test_unknown_code():
    """An unknown code is answered with one like it."""
    with pytest.raises(Invalid, match="no code 'SYN2O1'"):
        explain_code("SYN2O1")


def every_path(annotation, path, seen):
    for model in fields.models(annotation) + [m for e in fields.entries(annotation) for m in fields.models(e)]:
        if model in seen:
            continue
        for name, info in fields.by_alias(model).items():
            yield f"{path}.{name}"
            yield from every_path(info.annotation, f"{path}.{name}", seen | {model})


@pytest.mark.parametrize("kind", KIND_BY_NAME.values(), ids=lambda kind: kind.name)
def test_every_field_is_explained(kind):
    """Every field of every kind can be explained, with a type in words."""
    for path in every_path(kind.spec, kind.name, frozenset()):
        assert explain_path(path).type


def test_examples_of_codes_are_yaml():
    """The examples of the codes about manifests are YAML, except where broken YAML is what they show."""
    for code in CODES.values():
        if code.code.startswith("SYN2"):
            for example in (code.bad, code.good):
                assert (
                    not [d for d in load_text(example, code.code).diagnostics if d.code.startswith("SYN1")]
                    or code.code == "SYN212"
                ), code.code


def test_codes_are_complete():
    """Every code has a title, a meaning and a remedy that are sentences."""
    for name, code in CODES.items():
        assert name == code.code
        assert code.title
        assert code.meaning.endswith((".", "?"))
        assert code.remedy.endswith((".", "?"))
