"""Plans between generated repositories, applied to a state, whole and killed: they always lead to what is declared."""

from __future__ import annotations

import json
import random
import tempfile
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.executor.flows.applied import read_applied
from syncline.manifests.load import load_text, to_document
from syncline.manifests.resolve import resolve
from syncline.model.change import Action
from syncline.model.diagnostic import has_errors
from syncline.model.key import ObjectKey
from syncline.planner.compiled import compile_flows
from syncline.planner.make import changes_of, make_plan
from syncline.planner.observed import observe
from syncline.planner.position import position_digest
from syncline.planner.serialize import dumps, step_data
from syncline.reconciler.steps import take
from syncline.state.open import open_store
from tests.examples import examples
from tests.repository import desired

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncline.manifests.desired import Desired
    from syncline.model.plan import Plan
    from syncline.state.store import StateStore

HEAD = "apiVersion: syncline/v1\nkind: {kind}\nmetadata: {{name: {name}{more}}}\nspec: {spec}\n"
MAPPED = "{key: [id], fields: [{to: id, from: id, type: integer, required: true}, {to: name, from: NAME}]}"

few = settings(max_examples=examples(60))


@dataclass(frozen=True)
class World:
    """What a repository declares: flows by name with table and mode, and what all of them go through.

    `own` says whether the tenant has a warehouse of its own over the shared one; `mapping` and `crm` are names.
    """

    flows: Mapping[str, tuple[str, str]]
    mapping: str = "customer"
    crm: str = "crm"
    own: bool = False
    value: str = "name"
    files: str = "a*.csv"
    moved: Mapping[ObjectKey, str] = field(default_factory=dict)

    @property
    def texts(self) -> dict[str, str]:
        """The repository."""
        files = f"{{connector: file@^1, config: {{root: d}}, streams: {{c: {{files: '{self.files}', key: [id]}}}}}}"
        found = [
            HEAD.format(kind="Tenant", name="acme", more="", spec="{}"),
            HEAD.format(kind="Integration", name="warehouse", more="", spec=_sqlite("shared.db")),
            self._one("Integration", self.crm, files),
            self._one("Mapping", self.mapping, MAPPED.replace("NAME", self.value)),
        ]
        if self.own:
            found.append(self._one("Integration", "warehouse", _sqlite("own.db")))
        for name, (table, write) in self.flows.items():
            spec = f"{{from: {self.crm}/c, mapping: {self.mapping}, to: warehouse/{table}, write: {write}}}"
            found.append(self._one("Sync", name, spec))
        return {f"{n}.yaml": text for n, text in enumerate(found)}

    def _one(self, kind: str, name: str, spec: str) -> str:
        former = self.moved.get(ObjectKey("acme", kind, name))
        more = ", tenant: acme" + (f", moved: {{name: {former}}}" if former else "")
        return HEAD.format(kind=kind, name=name, more=more, spec=spec)


def _sqlite(path: str) -> str:
    return f"{{connector: sqlite@^1, config: {{path: {path}}}}}"


worlds = st.builds(
    World,
    flows=st.dictionaries(
        st.sampled_from(["alpha", "beta", "gamma", "delta"]),
        st.tuples(st.sampled_from(["t", "u"]), st.sampled_from(["upsert", "append", "replace"])),
        max_size=4,
    ),
    mapping=st.sampled_from(["customer", "client"]),
    crm=st.sampled_from(["crm", "sales"]),
    own=st.booleans(),
    value=st.sampled_from(["name", "upper(name)"]),
    files=st.sampled_from(["a*.csv", "b*.csv"]),
)


@st.composite
def edits(draw: st.DrawFn) -> tuple[World, World]:
    """Two worlds, where some of what has another name in the second says what it was before."""
    before, after = draw(worlds), draw(worlds)
    gone, new = sorted(before.flows.keys() - after.flows.keys()), sorted(after.flows.keys() - before.flows.keys())
    pairs = [("Sync", a, b) for a, b in zip(gone, new, strict=False)]
    pairs += [("Mapping", before.mapping, after.mapping), ("Integration", before.crm, after.crm)]
    moved = {
        ObjectKey("acme", kind, name): former for kind, former, name in pairs if former != name and draw(st.booleans())
    }
    return before, replace(after, moved=moved)


def plan(store: StateStore, wanted: Desired) -> Plan:
    """The plan from what is applied, as `workflow.plan` makes it."""
    observed = observe(store)
    changes = changes_of(wanted, observed, read_applied(store).flows, compile_flows(wanted))
    return make_plan(wanted, observed, changes, (), revision="r", dirty=False, allow_deletes=True)


def apply(store: StateStore, made: Plan, name: str, steps: int | None = None) -> None:
    """Takes the steps of a plan; with `steps`, so many of them, after which it is as if it had been killed."""
    assert not has_errors(made.findings)
    with store.lease("apply") as lease:
        store.begin_apply(lease, name, "p", "r", [json.dumps(step_data(s)) for s in made.steps])
        for index, step in enumerate(made.steps[:steps]):
            take(store, lease, name, index, step, made, "p", lambda key: pytest.fail(f"drops the table of {key}"))
        if steps is None:
            store.finish_apply(lease, name)


def started(folder: str, name: str, before: World) -> StateStore:
    """A state in which the first world is applied and each of its flows has a position."""
    store = open_store(f"sqlite:///{Path(folder) / name}.db")
    apply(store, plan(store, desired(before.texts)), "before")
    for flow in before.flows:
        store.put_cursor(ObjectKey("acme", "Sync", flow), f"position of {flow}")
    return store


def outcome(store: StateStore) -> Any:
    """What is applied, and the positions."""
    return {o.key: (o.digest, o.document) for o in store.objects()}, store.cursors()


def kept(before: World, after: World) -> dict[ObjectKey, str]:
    """Positions that still apply: those of flows that read and write the same as before, under their new names."""
    old, new = compile_flows(desired(before.texts)), compile_flows(desired(after.texts))
    found = {}
    for key, item in new.items():
        former = ObjectKey("acme", "Sync", after.moved.get(key, key.name))
        if former in old and position_digest(old[former].flow) == position_digest(item.flow):
            found[key] = f"position of {former.name}"
    return found


@few
@given(edits())
def test_an_apply_leads_to_what_is_declared(edit):
    """One apply makes it so: nothing is left to do, and exactly the positions that still apply are kept."""
    before, after = edit
    with tempfile.TemporaryDirectory() as folder, closing(started(folder, "state", before)) as store:
        wanted = desired(after.texts)
        apply(store, plan(store, wanted), "after")
        objects, cursors = outcome(store)
        assert objects == {key: (m.digest, to_document(m)) for key, m in wanted.objects.items()}
        assert cursors == kept(before, after)
        assert plan(store, wanted).empty


@few
@given(edits(), st.integers(0, 12), st.integers(0, 12))
def test_killed_applies_lead_to_the_same(edit, first, second):
    """Killed after any step, planned again, killed again and planned again: objects and positions are as without it."""
    before, after = edit
    wanted = desired(after.texts)
    with tempfile.TemporaryDirectory() as folder, closing(started(folder, "state", before)) as store:
        apply(store, plan(store, wanted), "killed", first)
        apply(store, plan(store, wanted), "killed again", second)
        apply(store, plan(store, wanted), "after")
        objects, cursors = outcome(store)
        assert objects == {key: (m.digest, to_document(m)) for key, m in wanted.objects.items()}
        assert cursors == kept(before, after)
        assert plan(store, wanted).empty


@few
@given(edits(), st.integers(0, 2**32))
def test_a_plan_does_not_depend_on_the_order_of_files(edit, seed):
    """Manifests in another order give the same plan, byte for byte."""
    before, after = edit
    with tempfile.TemporaryDirectory() as folder, closing(started(folder, "state", before)) as store:
        manifests = [m for file, text in after.texts.items() for m in load_text(text, file).manifests]
        usual = dumps(plan(store, resolve(manifests).desired))
        random.Random(seed).shuffle(manifests)
        assert dumps(plan(store, resolve(manifests).desired)) == usual


@few
@given(edits())
def test_what_is_left_out_of_a_plan_is_the_same_before_and_after(edit):
    """A flow whose position no longer applies is in the plan's effects, whatever made it so, and has its step."""
    before, after = edit
    with tempfile.TemporaryDirectory() as folder, closing(started(folder, "state", before)) as store:
        made = plan(store, desired(after.texts))
        reset = {e.subject for c in made.changes for e in c.effects if str(e.kind) == "cursor-reset"}
        keys = [ObjectKey("acme", "Sync", name) for name in after.flows]
        lost = {key for key in keys if after.moved.get(key, key.name) in before.flows} - kept(before, after).keys()
        retired = {c.key for c in made.changes if c.action is Action.delete and c.key.kind == "Sync"}
        assert reset == {str(key) for key in lost | retired}
