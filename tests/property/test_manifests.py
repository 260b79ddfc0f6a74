"""Properties of loading and formatting, over generated manifests and hostile text."""

from __future__ import annotations

import tempfile
from pathlib import Path

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from syncline.manifests.format import fmt
from syncline.manifests.load import load_text, load_tree, to_document
from syncline.manifests.resolve import resolve
from syncline.manifests.text import Text
from syncline.manifests.yaml import compose
from syncline.model.errors import Invalid

NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,6}[a-z0-9])?", fullmatch=True)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(
        st.characters(exclude_categories=["Cs", "Cc", "Cf"], exclude_characters="\u2028\u2029\ufffe\uffff"), max_size=12
    ),
    st.sampled_from(
        ["no", "010", "12:30", "2024-01-01", "~", "<<", "!x", "*a", "&a", "a: b", "- a", "# c", "", " ", "+1"]
    ),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)


@st.composite
def mappings(draw):
    """A valid Mapping as plain data."""
    names = draw(st.lists(st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True), min_size=1, max_size=4, unique=True))
    fields = [{"to": name, "const": draw(VALUES)} for name in names]
    metadata = {"name": draw(NAMES), "tenant": draw(st.sampled_from(["a", "b"]))}
    return {"apiVersion": "syncline/v1", "kind": "Mapping", "metadata": metadata, "spec": {"fields": fields}}


def written(data, *, flow):
    return yaml.safe_dump(data, default_flow_style=flow, allow_unicode=True, sort_keys=False)


@given(VALUES, st.booleans())
def test_reads_what_others_write(value, flow):
    """What PyYAML writes is read as the same value with the same types."""
    content = written({"a": value}, flow=flow)
    composed = compose(Text("a.yaml", content))

    assert composed.diagnostics == []
    assert repr(composed.documents[0].data) == repr({"a": value}).replace("-0.0", repr(-0.0))


@given(mappings(), st.booleans())
def test_format_is_idempotent_and_harmless(data, flow):
    """Formatting twice is formatting once, and the digest of what is declared stays."""
    content = written(data, flow=flow)
    once = fmt(content)

    assert fmt(once) == once
    before, after = load_text(content, "a.yaml"), load_text(once, "a.yaml")
    assert [m.digest for m in after.manifests] == [m.digest for m in before.manifests]
    assert len(before.manifests) == 1


@given(st.lists(mappings(), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_order_of_files_does_not_matter(documents, random):
    """However documents are spread over files, the same is desired; duplicates are found in every order."""
    distinct = list({(d["metadata"]["tenant"], d["metadata"]["name"]): d for d in documents}.values())
    digests = set()
    for _ in range(2):
        random.shuffle(distinct)
        with tempfile.TemporaryDirectory() as folder:
            for number, data in enumerate(distinct):
                (Path(folder) / f"{number}.yaml").write_text(written(data, flow=False), encoding="utf-8")
            loaded = load_tree(Path(folder))
        assert loaded.diagnostics == ()
        resolved = resolve(loaded.manifests)
        assert {d.code for d in resolved.diagnostics} == {"SYN222"}
        digests.add(resolved.desired.digest)

    assert len(digests) == 1


@given(mappings(), st.booleans())
def test_documents_do_not_depend_on_style(data, flow):
    """Block or flow style, one document is canonical."""
    one, other = (load_text(written(data, flow=style), "a.yaml").manifests[0] for style in (flow, not flow))

    assert to_document(one) == to_document(other)


@given(st.text(st.sampled_from(list("ab01:-[]{},#&*!|>'\"%@?<= \n\t\\~.")), max_size=60))
@example("a: &a [*a]")
@example("? a\n? b")
@example("a: !!str\n")
def test_never_raises(content):
    """Any text gives values or findings, never an exception, and every finding has a place inside the text."""
    result = load_text(content, "a.yaml")
    lines = content.count("\n") + 1
    for finding in result.diagnostics:
        assert finding.place is not None
        assert 1 <= finding.place.line <= lines + 1


@given(st.text(st.sampled_from(list("ab01:-[]{},#'\" \n")), max_size=60))
def test_format_of_any_text(content):
    """Any text is formatted to a text that says the same, or refused."""
    try:
        once = fmt(content)
    except Invalid:
        return
    assert [d.data for d in compose(Text("", once)).documents] == [d.data for d in compose(Text("", content)).documents]
