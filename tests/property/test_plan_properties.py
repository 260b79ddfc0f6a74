"""What holds of every plan, over generated repositories and edits of them."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from syncline import workflow
from syncline.executor.batches.checkpoint import Checkpoint
from syncline.manifests.resolve import resolve
from syncline.model.errors import Invalid
from syncline.model.key import ObjectKey
from syncline.planner import serialize
from syncline.state.open import open_store
from tests.e2e.house import Scenario, build
from tests.examples import examples
from tests.look import Look
from tests.repository import write

NAMES = ("alpha", "beta", "gamma", "delta", "epsilon")
BASE = Scenario("upsert").texts
SYNC = BASE["sync.yaml"]

#: What a repository has: flows by name, each with its own table, mode and label; and whether the mapping has one more
#: field.
flows = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.tuples(
            st.sampled_from(["customers", "people", "users", "clients", "guests"]),
            st.sampled_from(["upsert", "append", "replace"]),
            st.sampled_from(["", "ops", "sales"]),
        ),
    ),
    unique_by=(lambda flow: flow[0], lambda flow: flow[1][0]),
    max_size=5,
).map(dict)
repositories = st.tuples(flows, st.booleans())

few = settings(max_examples=examples(25), phases=[Phase.generate])


def sync(name: str, flow: tuple[str, str, str], moved: str = "") -> str:
    """The manifest of a flow."""
    table, mode, label = flow
    text = SYNC.replace("warehouse/customers", f"warehouse/{table}").replace("write: upsert", f"write: {mode}")
    more = (f", labels: {{team: {label}}}" if label else "") + (f", moved: {{name: {moved}}}" if moved else "")
    return text.replace("{name: customers, tenant: acme}", f"{{name: {name}, tenant: acme{more}}}")


def texts(repository: tuple[dict[str, tuple[str, str, str]], bool]) -> dict[str, str]:
    """The files of a repository."""
    found, wider = repository
    base = {name: text for name, text in BASE.items() if name != "sync.yaml"}
    if wider:
        base["mapping.yaml"] = base["mapping.yaml"].rstrip() + "\n  - {to: extra, from: upper(name)}\n"
    return {**base, **{f"{name}.yaml": sync(name, flow) for name, flow in found.items()}}


def made(plan: Any) -> list[Any]:
    """A plan's changes without the places of manifests."""
    data = serialize.to_data(plan)
    for change in data["changes"]:
        change.pop("place")
    for step in data["steps"]:
        step.pop("place", None)
    return [data["changes"], data["steps"], data["summary"], data["policy"]]


@few
@given(st.lists(repositories, min_size=1, max_size=4))
def test_after_an_apply_the_plan_is_empty(history):
    """Whatever is declared after whatever was applied: one apply leads to it, and nothing is left to do."""
    with tempfile.TemporaryDirectory() as folder:
        serial = 0
        for repository in history:
            home = build(Path(folder), texts(repository))
            plan = workflow.plan(home, allow_deletes=True)
            applied = workflow.apply(home, plan)
            again = workflow.plan(home)
            assert again.empty
            assert not again.steps
            desired = workflow.validate(home).desired
            reader = Look(home.state_url)
            assert {o.key: o.digest for o in reader.objects()} == {k: m.digest for k, m in desired.objects.items()}
            assert applied.serial == reader.serial() >= serial
            assert not reader.unfinished_apply()
            assert plan.empty == (applied.serial == serial)
            serial = applied.serial


@few
@given(repositories, repositories)
def test_the_same_state_and_declaration_give_the_same_bytes(before, after):
    """A plan is made twice, in another process's order of files, and saved and read again: always the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        home = build(Path(folder), texts(before))
        workflow.apply(home)
        build(Path(folder), texts(after))
        first = serialize.dumps(workflow.plan(home, allow_deletes=True))
        build(Path(folder), dict(reversed(texts(after).items())))  # files are made in the other order
        second = serialize.dumps(workflow.plan(home, allow_deletes=True))
        assert first == second
        assert serialize.dumps(serialize.loads(first)) == first


@few
@given(repositories, st.randoms(use_true_random=False), st.integers(1, 4))
def test_how_documents_are_spread_over_files_does_not_matter(repository, random, parts):
    """The same documents in other files and another order make the same plan, but for the places it names."""
    documents = [d for text in texts(repository).values() for d in text.split("---\n")]
    random.shuffle(documents)
    spread = {f"{i}.yaml": "---\n".join(documents[i::parts]) for i in range(parts) if documents[i::parts]}
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        usual = workflow.plan(build(Path(one), texts(repository)))
        assert made(workflow.plan(build(Path(other), spread))) == made(usual)


@few
@given(flows.filter(bool), st.data())
def test_a_rename_keeps_the_cursor(found, data):
    """With `moved`, the position of a flow is under its new name, and that of all others where it was."""
    name = data.draw(st.sampled_from(sorted(found)))
    with tempfile.TemporaryDirectory() as folder:
        home = build(Path(folder), texts((found, False)))
        workflow.apply(home)
        cursors = {
            ObjectKey("acme", "Sync", n): Checkpoint(f"acme/Sync/{n}", f"run-{n}", "basis", position={"at": n}).dumps()
            for n in found
        }
        store = open_store(home.state_url)
        try:
            for key, cursor in cursors.items():
                store.put_cursor(key, cursor)
        finally:
            store.close()
        renamed = texts(({n: f for n, f in found.items() if n != name}, False)) | {
            "new.yaml": sync("renamed", found[name], moved=name)
        }
        build(Path(folder), renamed)
        plan = workflow.plan(home)
        assert plan.summary == {"move": 1}
        workflow.apply(home, plan)
        moved = cursors.pop(ObjectKey("acme", "Sync", name))
        assert Look(home.state_url).cursors() == {**cursors, ObjectKey("acme", "Sync", "renamed"): moved}
        assert workflow.plan(home).empty


@few
@given(repositories.filter(lambda r: bool(r[0])), st.integers(0, 10**6))
def test_a_plan_that_was_altered_anywhere_is_refused(repository, at):
    """Of a saved plan, no character can be changed without its being refused."""
    with tempfile.TemporaryDirectory() as folder:
        text = serialize.dumps(workflow.plan(build(Path(folder), texts(repository))))
    at %= len(text)
    altered = text[:at] + ("x" if text[at] != "x" else "y") + text[at + 1 :]
    try:
        same = json.loads(altered) == json.loads(text)
    except ValueError:
        same = False
    if not same:
        with pytest.raises(Invalid):
            serialize.loads(altered)


def test_resolving_does_not_depend_on_the_order_of_manifests(tmp_path):
    """Every order of the same manifests gives the same desired state, and the same digest."""
    from itertools import permutations

    from syncline.manifests.load import load_tree

    home = write(tmp_path, texts(({"alpha": ("customers", "upsert", ""), "beta": ("people", "append", "ops")}, True)))
    manifests = load_tree(home.root).manifests
    digests = {resolve(list(order)).desired.digest for order in permutations(manifests)}
    assert len(digests) == 1
