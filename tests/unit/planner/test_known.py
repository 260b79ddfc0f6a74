"""What is known from before is found out again only where it changed, and what is said is the same as without it."""

from __future__ import annotations

import gc
import weakref

import pytest

from syncline import workflow
from syncline.kinds.mapping import MappingSpec
from syncline.manifests import load as loading
from syncline.manifests.document import alive
from syncline.manifests.load import from_document, load_text, to_document
from syncline.manifests.resolve import resolve
from syncline.planner import compiled as compiling
from syncline.planner.compiled import compile_flows
from syncline.planner.known import Known
from syncline.settings import read_settings

HEAD = """\
apiVersion: syncline/v1
kind: Tenant
metadata: {name: acme}
spec: {}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: files, tenant: acme}
spec: {connector: file@^1, config: {root: data}, streams: {orders: {files: "*.csv"}}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: warehouse, tenant: acme}
spec: {connector: sqlite@^1, config: {path: warehouse.db}}
"""
PAIR = """\
apiVersion: syncline/v1
kind: Mapping
metadata: {name: order-%(n)d, tenant: acme}
spec:
  key: [id]
  fields: [{to: id, from: id, type: integer}, {to: name, from: "upper(name)"}]
  tests: [{given: {id: "1", name: ada}, expect: {id: 1, name: %(name)s}}]
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: order-%(n)d, tenant: acme}
spec: {from: files/orders, mapping: order-%(n)d, to: warehouse/orders_%(n)d}
"""


@pytest.fixture
def root(tmp_path):
    """A repository of three flows, each in a file of its own."""
    (tmp_path / "shared.yaml").write_text(HEAD)
    for n in range(3):
        (tmp_path / f"order-{n}.yaml").write_text(PAIR % {"n": n, "name": "ADA"})
    return tmp_path


@pytest.fixture
def work(monkeypatch):
    """Which files are parsed, mappings compiled, and mappings' tests run."""
    done = []

    def watched(module, name, what):
        real = getattr(module, name)

        def noted(*given, **named):
            done.append(what(given))
            return real(*given, **named)

        monkeypatch.setattr(module, name, noted)

    from syncline.mapping import tests as testing

    watched(loading, "compose", lambda given: f"parse {given[0].file}")
    watched(compiling, "compile_mapping", lambda given: f"compile {given[0].key.name}")
    watched(testing, "run_tests", lambda given: f"test {given[0].key.name}")
    return done


def same(found, settings):
    """Whether something was found as it is by looking at everything anew."""
    anew = workflow.validate(settings)
    assert (found.files, found.diagnostics, found.policy) == (anew.files, anew.diagnostics, anew.policy)
    assert found.desired.digest == anew.desired.digest
    assert [str(m.place) for m in found.desired.objects.values()] == [
        str(m.place) for m in anew.desired.objects.values()
    ]
    return found


def test_only_what_changed_is_done_again(root, work):
    """Of a commit that changes one file, that file is parsed, its mapping compiled and tested; of another, nothing."""
    settings, known = read_settings(root, {}), Known()
    first = workflow.validate(settings, known=known)
    assert len([one for one in work if "catalog/" not in one]) == 4 + 3 + 3

    work.clear()
    assert workflow.validate(settings, known=known).desired is first.desired
    assert work == []

    (root / "order-1.yaml").write_text("# a comment\n" + PAIR % {"n": 1, "name": "EVE"})
    found = workflow.validate(settings, known=known)
    assert work == ["parse order-1.yaml", "compile order-1", "test order-1"]
    assert [d.place.file for d in same(found, settings).diagnostics] == ["order-1.yaml"]

    (root / "order-1.yaml").write_text(PAIR % {"n": 1, "name": "ADA"})
    assert same(workflow.validate(settings, known=known), settings).ok


def test_a_failing_test_is_told_each_time(root):
    """Only what passes is remembered as such."""
    settings, known = read_settings(root, {}), Known()
    (root / "order-1.yaml").write_text(PAIR % {"n": 1, "name": "EVE"})
    for change in range(3):
        (root / "order-0.yaml").write_text(PAIR % {"n": 0, "name": "ADA"} + f"# {change}\n")
        assert not same(workflow.validate(settings, known=known), settings).ok


def test_files_come_and_go(root):
    """A file that is removed, renamed or broken counts as it would without what is known."""
    settings, known = read_settings(root, {}), Known()
    workflow.validate(settings, known=known)
    (root / "order-2.yaml").rename(root / "other.yaml")
    (root / "order-0.yaml").unlink()
    found = same(workflow.validate(settings, known=known), settings)
    assert "other.yaml" in found.files
    (root / "other.yaml").write_text("apiVersion: syncline/v1\nkind: [")
    assert not same(workflow.validate(settings, known=known), settings).ok


def test_environments_are_rendered_anew_when_anything_changes(root):
    """A variable, a patch and the chosen environment all count; without a change, nothing is rendered."""
    (root / "environments.yaml").write_text(
        "apiVersion: syncline/v1\nkind: Environments\n"
        "spec:\n  variables: {table: {type: string}}\n"
        "  environments: {staging: {values: {table: a}}, production: {values: {table: b}}}\n"
    )
    (root / "order-0.yaml").write_text(
        (PAIR % {"n": 0, "name": "ADA"}).replace("warehouse/orders_0", "'warehouse/${table}'")
    )
    known = Known()
    settings = read_settings(root, {"SYNCLINE_ENVIRONMENT": "staging"})
    first = same(workflow.validate(settings, known=known), settings)
    assert first.ok, first.diagnostics
    assert workflow.validate(settings, known=known).desired is first.desired
    production = read_settings(root, {"SYNCLINE_ENVIRONMENT": "production"})
    assert same(workflow.validate(production, known=known), production).desired.digest != first.desired.digest
    (root / "environments.yaml").write_text((root / "environments.yaml").read_text().replace("table: a", "table: c"))
    assert same(workflow.validate(settings, known=known), settings).desired.digest != first.desired.digest


def test_what_is_applied_shares_with_what_is_declared():
    """Documents of the state share specs and compiled mappings of equal declarations, but not their places."""
    loaded = load_text(HEAD + "---\n" + PAIR % {"n": 0, "name": "ADA"}, "a.yaml").manifests
    flows = compile_flows(resolve(loaded).desired)
    applied = [from_document(to_document(manifest)) for manifest in loaded]
    assert all(from_document(to_document(one)) is one for one in applied)
    assert all(a.spec is d.spec and a.digest == d.digest for a, d in zip(applied, loaded, strict=True))
    assert not any(a.place.file or a.places or a.annotations for a in applied)
    again = compile_flows(resolve(applied).desired)
    assert [item.compiled for item in again.values()] == [item.compiled for item in flows.values()]
    assert all(again[key].compiled is flows[key].compiled for key in flows)


def fields_of(manifest):
    """The fields of a mapping."""
    assert isinstance(manifest.spec, MappingSpec)
    return manifest.spec.fields


def test_fields_that_mappings_have_in_common_are_in_memory_once():
    """Of two mappings, equal fields are one value with what is compiled of them; one that says more is another."""
    text = "---\n".join(PAIR % {"n": n, "name": "ADA"} for n in range(2)).replace("upper(name)", "lower(name)", 1)
    loaded = load_text(HEAD + "---\n" + text.replace("type: integer", "type: integer, required: false", 1), "a.yaml")
    (first, again), flows = (fields_of(m) for m in loaded.manifests if m.key.kind == "Mapping"), loaded.manifests
    assert first[0] is not again[0]
    assert first[1] is not again[1]
    assert first[0] == again[0], "what it says more is what it would be anyway"
    same = fields_of(load_text(PAIR % {"n": 7, "name": "ADA"}, "b.yaml").manifests[0])
    assert all(a is b for a, b in zip(same, again, strict=True))
    made = compile_flows(resolve([*flows, *load_text(PAIR % {"n": 7, "name": "ADA"}, "b.yaml").manifests]).desired)
    second, third = (list(made.values())[n].compiled.fields for n in (1, 2))
    assert all(a.expression is b.expression and a.target is b.target for a, b in zip(second, third, strict=True))


def test_what_is_no_longer_declared_is_forgotten():
    """What is shared doesn't keep anything in memory."""
    loaded = load_text(HEAD, "a.yaml").manifests
    document, digest, held = to_document(loaded[0]), loaded[0].digest, weakref.ref(loaded[0])
    assert alive(digest) is loaded[0]
    recorded = weakref.ref(from_document(document))
    del loaded
    gc.collect()
    assert held() is None
    assert recorded() is None
    assert alive(digest) is None
