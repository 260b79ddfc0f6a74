"""Versions of a connector side by side: which one an integration gets, what a plan says, and what is refused."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from syncline.manifests.flow import flow_of
from syncline.manifests.load import load_text
from syncline.manifests.resolve import resolve
from syncline.model.change import Action
from syncline.model.key import ObjectKey
from syncline.model.step import DeleteObject, PutObject
from tests.repository import desired
from tests.unit.planner.states import applied, codes, planned

if TYPE_CHECKING:
    from collections.abc import Mapping

TENANT = "apiVersion: syncline/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {title: Acme}\n"


def connector(version: str, *, url: str = "https://api.example.com", metadata: str = "", more: str = "") -> str:
    """One version of the helpdesk."""
    return (
        f"apiVersion: syncline/v1\nkind: Connector\nmetadata: {{name: helpdesk{metadata}}}\n"
        f"spec:\n  version: {version}\n  http: {{url: '{url}'}}\n{more}"
        "  streams: {tickets: {get: /t, schema: {properties: {id: {type: integer}}}}}\n"
    )


def integration(name: str, wanted: str) -> str:
    """An integration with a range."""
    return (
        f"apiVersion: syncline/v1\nkind: Integration\nmetadata: {{name: {name}, tenant: acme}}\n"
        f"spec: {{connector: '{wanted}'}}\n"
    )


FLOW = """\
apiVersion: syncline/v1
kind: Integration
metadata: {name: out, tenant: acme}
spec: {connector: file, config: {root: out}}
---
apiVersion: syncline/v1
kind: Mapping
metadata: {name: m, tenant: acme}
spec: {key: [id], fields: [{to: id, from: id, type: integer}]}
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: s, tenant: acme}
spec: {from: desk/tickets, mapping: m, to: out/t, write: replace}
"""


def repository(*versions: str, wanted: str = "helpdesk@^1.3") -> dict[str, str]:
    """A flow from a helpdesk of which these versions are declared."""
    texts = {f"c{i}.yaml": connector(v) for i, v in enumerate(versions)}
    return {"t.yaml": TENANT, "i.yaml": integration("desk", wanted), "f.yaml": FLOW, **texts}


def found(texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """Codes and messages of what resolving finds."""
    manifests = [m for name, text in texts.items() for m in load_text(text, name).manifests]
    return [(d.code, d.message) for d in resolve(manifests).diagnostics]


@pytest.mark.parametrize(
    ("wanted", "used"),
    [
        ("helpdesk", "2.0.0"),
        ("helpdesk@^1.3", "1.10.0"),
        ("helpdesk@~1.3.0", "1.3.5"),
        ("helpdesk@1.3.0", "1.3.0"),
        ("helpdesk@>=1.4 <2", "1.10.0"),
    ],
)
def test_the_highest_version_in_the_range_is_used(wanted, used):
    """By numbers, whatever the order of files: 1.10 is higher than 1.3."""
    versions = ["1.3.0", "2.0.0", "1.10.0", "1.3.5"]
    random.Random(wanted).shuffle(versions)

    flow = flow_of(desired(repository(*versions, wanted=wanted)), ObjectKey("acme", "Sync", "s"))

    assert flow.source.connector.key.version == used


def test_versions_are_objects_of_their_own():
    """Each has its key; one version twice is still a mistake."""
    keys = [str(k) for k in desired(repository("1.3.0", "2.0.0")).objects if k.kind == "Connector"]

    assert keys == ["Connector/helpdesk@1.3.0", "Connector/helpdesk@2.0.0"]
    assert found(repository("1.3.0", "1.3.0")) == [("SYN220", "Connector/helpdesk@1.3.0 is declared twice")]


def test_a_range_that_nothing_is_in_names_the_versions():
    """So does a range that leaves the major version open, as a warning."""
    assert found(repository("1.3.0", "2.0.0", wanted="helpdesk@^3")) == [
        ("SYN223", "the connector 'helpdesk' has the versions 1.3.0 and 2.0.0, which '^3' excludes")
    ]
    assert found(repository("1.3.0", "2.0.0", wanted="helpdesk@>=1")) == [
        ("SYN261", "'>=1' leaves open which version of 'helpdesk' is meant: 1.3.0 or 2.0.0")
    ]
    assert found(repository("1.3.0", "1.4.0", wanted="helpdesk")) == []


def test_a_tenants_own_connector_hides_the_shared_one():
    """Whatever versions the shared one has: nobody gets a version that isn't theirs."""
    texts = repository("1.3.0", wanted="helpdesk@^1")
    texts["own.yaml"] = connector("1.0.0", metadata=", tenant: acme")

    flow = flow_of(desired(texts), ObjectKey("acme", "Sync", "s"))

    assert str(flow.source.connector.key) == "acme/Connector/helpdesk@1.0.0"


def test_a_new_version_is_put_before_the_old_one_is_deleted():
    """The plan shows both, with what differs, and no guard takes it for a loss."""
    plan = planned(repository("1.4.0"), applied(repository("1.3.0")))

    assert {(c.action, str(c.key)) for c in plan.changes} == {
        (Action.create, "Connector/helpdesk@1.4.0"),
        (Action.delete, "Connector/helpdesk@1.3.0"),
    }
    created = next(c for c in plan.changes if c.action is Action.create)
    assert [(f.path, f.before, f.after) for f in created.fields] == [("spec.version", '"1.3.0"', '"1.4.0"')]
    assert [type(s) for s in plan.steps] == [PutObject, DeleteObject]
    assert codes(plan) == []


def test_a_version_beside_another_moves_nobody():
    """A second major version is a create; flows that pin the first have no effects."""
    plan = planned(repository("1.3.0", "2.0.0"), applied(repository("1.3.0")))

    assert [(c.action, str(c.key), c.effects) for c in plan.changes] == [
        (Action.create, "Connector/helpdesk@2.0.0", ())
    ]


def test_another_url_in_a_version_that_is_picked_up_is_an_effect():
    """A minor version that reaches another host says so at the flow that gets it."""
    after = repository("1.3.0")
    after["new.yaml"] = connector("1.4.0", url="https://other.example.com")

    plan = planned(after, applied(repository("1.3.0")))

    assert "host-contacted" in {str(e.kind) for c in plan.changes for e in c.effects}


def test_the_position_stays_with_another_version():
    """A version that reads the same records goes on where the other stopped."""
    key = ObjectKey("acme", "Sync", "s")
    plan = planned(repository("1.4.0"), applied(repository("1.3.0"), read={key: 100}))

    assert "cursor-reset" not in {str(e.kind) for c in plan.changes for e in c.effects}


def test_many_new_versions_are_no_mass_delete():
    """Ten connectors move on at once; taking them away altogether is guarded as ever."""

    def fleet(version: str) -> dict[str, str]:
        return {
            "t.yaml": TENANT,
            **{f"c{i}.yaml": connector(version).replace("helpdesk", f"desk{i}") for i in range(10)},
        }

    assert codes(planned(fleet("1.4.0"), applied(fleet("1.3.0")))) == []
    assert codes(planned({"t.yaml": TENANT}, applied(fleet("1.3.0")))) == ["SYN620"]


def test_plans_are_deterministic():
    """The order of files changes nothing."""
    texts = repository("1.3.0", "2.0.0", "1.10.0")
    shuffled = dict(sorted(texts.items(), reverse=True))

    assert [str(s) for s in planned(texts, applied({})).steps] != []
    assert [s.describe() for s in planned(texts, applied({})).steps] == [
        s.describe() for s in planned(shuffled, applied({})).steps
    ]
