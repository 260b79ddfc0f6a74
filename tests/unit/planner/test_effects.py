"""Effects: what a plan says of data, whichever of a flow's parts made the difference."""

from __future__ import annotations

import pytest

from syncline.model.change import Action
from syncline.model.key import ObjectKey
from syncline.model.step import DeleteObject, MoveObject, PutObject, ResetCursor
from tests.repository import CUSTOMERS, edited
from tests.unit.planner.states import applied, planned, said

FLOW = ObjectKey("acme", "Import", "customers")
READ = {FLOW: 1234}
FIELD = "- {to: name, from: name}"
OTHER_VALUES = "values-changed: values of name in warehouse/customers change; rows written before keep their old ones until read again"

SHARED = """\
apiVersion: syncline/v1
kind: Integration
metadata: {name: warehouse}
spec: {connector: sqlite@^1, region: eu-west, config: {path: shared.db}}
"""

API = """\
apiVersion: syncline/v1
kind: AuthConfig
metadata: {name: token, tenant: acme}
spec: {type: bearer, rotation: {every: 30d}, token: {secretRef: {provider: env, key: TOKEN}}}
---
apiVersion: syncline/v1
kind: Connector
metadata: {name: helpdesk, tenant: acme}
spec:
  version: 1.3.0
  auth: [bearer]
  http: {url: "https://api.example.com/v1", query: {}, headers: {X-Site: eu}}
  streams:
    customers:
      get: /customers
      records: data[]
      key: [id]
      schema:
        properties:
          id: {type: integer}
          name: {type: string}
          email: {type: string, x-class: pii.email}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: crm, tenant: acme}
spec: {connector: helpdesk@^1, auth: token, region: eu-west}
"""
WAREHOUSE = CUSTOMERS["files.yaml"].partition("---\n")[2]
FROM_API = {**CUSTOMERS, "files.yaml": f"{API}---\n{WAREHOUSE}"}
FROM_API["mapping.yaml"] = CUSTOMERS["mapping.yaml"].replace("class: pii.email, ", "")


def test_a_retired_integration_that_hid_a_shared_one_resets_its_flows() -> None:
    """The same name means another database: the effects hang on the delete, and the position is reset."""
    texts = {**CUSTOMERS, "shared.yaml": SHARED}
    plan = planned({**texts, "files.yaml": CUSTOMERS["files.yaml"].partition("---\n")[0]}, applied(texts, read=READ))

    (change,) = plan.changes
    assert (change.action, str(change.key)) == (Action.delete, "acme/Integration/warehouse")
    assert said(plan) == [
        "acme/Integration/warehouse: cursor-reset: its saved position no longer applies (target changed)",
        "acme/Integration/warehouse: rows-reread: the next run reads from the start (its last run read 1,234 records)",
        "acme/Integration/warehouse: rows-counted: how many rows warehouse/customers has isn't known until it is looked at; they stay",
        (
            "acme/Integration/warehouse: table-created: warehouse/customers is in another place from now on; rows in the old "
            "warehouse/customers stay"
        ),
        "acme/Integration/warehouse: class-flow: pii.email newly flows to warehouse in the clear: email",
    ]
    assert [(type(s), str(s.key)) for s in plan.steps] == [
        (ResetCursor, str(FLOW)),
        (DeleteObject, "acme/Integration/warehouse"),
    ]


def test_an_integration_that_hides_a_shared_one_resets_its_flows() -> None:
    """The other way round it hangs on the create."""
    texts = {**CUSTOMERS, "shared.yaml": SHARED}
    before = {**texts, "files.yaml": CUSTOMERS["files.yaml"].partition("---\n")[0]}
    plan = planned(texts, applied(before, read=READ))

    assert [(c.action, str(c.key)) for c in plan.changes] == [(Action.create, "acme/Integration/warehouse")]
    assert [type(s) for s in plan.steps] == [ResetCursor, PutObject]


def test_a_flow_that_is_moved_and_writes_elsewhere_is_reset_before() -> None:
    """The state has its position under the former name, and forgets it before anything else is done."""
    after = edited(
        "import.yaml", "{name: customers, tenant: acme}", "{name: c, tenant: acme, moved: {name: customers}}"
    )
    after = edited("import.yaml", "to: warehouse/customers", "to: warehouse/clients", after)
    plan = planned(after, applied(CUSTOMERS, read=READ))

    assert [(type(s), str(s.key)) for s in plan.steps] == [
        (ResetCursor, str(FLOW)),
        (MoveObject, "acme/Import/c"),
        (PutObject, "acme/Import/c"),
    ]
    assert "(its last run read 1,234 records)" in said(plan, ["rows-reread"])[0]
    assert "warehouse/clients is created if it isn't there; rows in the old warehouse/customers stay" in said(plan)[4]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (
            "- {to: name, from: name, protect: {hash: tenant}}",
            (
                "protection-changed: name of warehouse/customers is written hashed instead of in the clear; rows written "
                "before keep it in the clear until read again"
            ),
        ),
        (
            "- {to: name, from: name, protect: {mask: {keep: 2}}}",
            (
                "protection-changed: name of warehouse/customers is written masked but for its last 2 instead of in the "
                "clear; rows written before keep it in the clear until read again"
            ),
        ),
        (
            "- {to: name, from: upper(name)}",
            OTHER_VALUES,
        ),
        (
            "- {to: name, from: name, default: nobody}",
            OTHER_VALUES,
        ),
        (
            "- {to: name, from: name, lookup: {a: b}}",
            OTHER_VALUES,
        ),
        (
            "- {to: name, from: name, check: {maxLength: 9}}",
            "values-changed: checks of name in warehouse/customers change; rows written before stay as they are",
        ),
        ("- {to: name, from: name, description: of people}", None),
    ],
)
def test_a_changed_field_says_what_becomes_of_old_rows(field: str, expected: str | None) -> None:
    """Old rows keep their form, their values and their faults until they are read again; a description is nothing."""
    plan = planned(edited("mapping.yaml", FIELD, field), applied(CUSTOMERS, read=READ))

    assert said(plan) == ([] if expected is None else [f"acme/Mapping/customer: {expected}"])
    assert [type(s) for s in plan.steps] == [PutObject]


def test_protection_that_ends_is_a_class_in_the_clear() -> None:
    """Removing protection can't be undone for what flows from then on, and is shown with its class."""
    email = "{to: email, from: email, class: pii.email, check: {format: email}"
    before = edited("mapping.yaml", email, f"{email}, protect: {{hash: tenant}}")
    plan = planned(CUSTOMERS, applied(before))

    assert [(str(e.kind), e.reversible) for e in plan.changes[0].effects] == [
        ("protection-changed", False),
        ("class-flow", False),
    ]


def test_another_filter_says_which_rows_stay() -> None:
    """Rows that `where` would skip now were written before, and stay."""
    plan = planned(edited("mapping.yaml", "  key: [id]\n", "  key: [id]\n  where: name != 'x'\n"), applied(CUSTOMERS))

    (effect,) = plan.changes[0].effects
    assert "rows of warehouse/customers that it would skip now stay" in effect.message


def test_a_class_that_is_taken_away_is_shown() -> None:
    """A field no longer counts as classified, whether the mapping or the source said so before."""
    mapping = planned(edited("mapping.yaml", "class: pii.email, ", ""), applied(CUSTOMERS))
    source = planned(edited("files.yaml", ", x-class: pii.email", "", FROM_API), applied(FROM_API))

    said_so = "class-dropped: email of warehouse/customers no longer counts as pii.email: policy for pii.email doesn't"
    assert [line.startswith(f"acme/Mapping/customer: {said_so}") for line in said(mapping)] == [True]
    assert [line.startswith(f"acme/Connector/helpdesk@1.3.0: {said_so}") for line in said(source)] == [True]


def test_other_credentials_are_another_account() -> None:
    """Other references to secrets are announced for the flows that use them; the age at which they rotate is not."""
    state = applied(FROM_API, read=READ)
    plan = planned(edited("files.yaml", "key: TOKEN", "key: OTHER", FROM_API), state)

    assert said(plan) == [
        (
            "acme/AuthConfig/token: account-changed: crm is read as another account, if the credentials are another's; its "
            "saved position stays, so what only this account sees isn't caught up on"
        )
    ]
    assert (
        said(planned(edited("files.yaml", "rotation: {every: 30d}", "rotation: {every: 60d}", FROM_API), state)) == []
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("https://api.example.com/v1", "https://api.example.com/v2"),
        ("query: {}", "query: {site: eu}"),
        ("X-Site: eu", "X-Site: us"),
        ("get: /customers", "get: /clients"),
        ("get: /customers", "get: /customers\n      query: {active: 'yes'}"),
        ("get: /customers", "get: /customers\n      headers: {X-View: all}"),
        ("get: /customers", "post: /customers\n      body: {a: 1}"),
        ("records: data[]", "records: items[]"),
        ("key: [id]", "key: [name]"),
        ("key: [id]", "key: [id]\n      page: {next: next}"),
        ("key: [id]", "key: [id]\n      deleted: deleted"),
        ("key: [id]", "key: [id]\n      filter: active"),
        ("key: [id]", "key: [id]\n      for: {in: [a, b], as: team}"),
        ("region: eu-west}\n---\napiVersion: syncline/v1\nkind: Integration\nmetadata: {name: w", None),
    ],
)
def test_another_request_starts_over(before: str, after: str | None) -> None:
    """Whatever decides which records an API gives makes a saved position void."""
    if after is None:  # an endpoint instead of the connector's URL
        after = before.replace("eu-west}", "eu-west, endpoints: [{region: eu-west, url: 'https://eu.example.com'}]}", 1)
    plan = planned(edited("files.yaml", before, after, FROM_API), applied(FROM_API, read=READ))

    assert [s.key for s in plan.steps if isinstance(s, ResetCursor)] == [FLOW]
    assert "(source changed)" in said(plan, ["cursor-reset"])[0]


def _child(parent: str, of: str = "{each: teams, as: team}") -> dict[str, str]:
    """The flow's stream as one that is read for each of others."""
    with_for = edited("files.yaml", "key: [id]", f"key: [id]\n      for: {of}", FROM_API)
    return edited("files.yaml", "    customers:\n", f"    teams: {{{parent}}}\n    customers:\n", with_for)


@pytest.mark.parametrize(
    "after",
    [
        _child("get: /groups"),
        _child("get: /teams, page: {page: query.page}"),
        _child("get: /teams, records: items"),
        _child("get: /teams", "{each: teams, as: team, only: open}"),
        _child("get: /teams", "{each: teams, as: crew}"),
        _child("get: /teams, for: {in: [a], as: a}"),
    ],
    ids=["path", "paging", "records", "only", "name", "grandparent"],
)
def test_another_parent_starts_over(after: dict[str, str]) -> None:
    """Whatever decides which parents there are decides which records a stream under them gives."""
    before = _child("get: /teams")
    plan = planned(after, applied(before, read=READ))

    assert [s.key for s in plan.steps if isinstance(s, ResetCursor)] == [FLOW]
    described = _child("get: /teams, schema: {properties: {id: {type: integer, description: of a team}}}")
    assert said(planned(described, applied(before, read=READ)), ["cursor-reset"]) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("X-Site: eu", "X-Site: eu, User-Agent: us"),
        ("X-Site: eu}", "X-Site: eu}, limits: [{rate: 5/s}], retry: {attempts: 2}, timeout: 5s"),
        ("X-Site: eu}", "X-Site: eu}, errors: [{when: status == `404`, do: skip}]"),
        ("name: {type: string}", "name: {type: string, description: of a person}"),
        ("metadata: {name: crm, tenant: acme}", "metadata: {name: crm, tenant: acme, labels: {team: ops}}"),
        ("version: 1.3.0", "version: 1.3.1\n  title: Helpdesk"),
        ("region: eu-west}\n---", "region: eu-west, limits: {rate: 1/s}}\n---"),
    ],
)
def test_how_it_is_fetched_and_described_keeps_the_position(before: str, after: str) -> None:
    """Labels, descriptions, limits, retries and rules about errors don't change which records there are."""
    plan = planned(edited("files.yaml", before, after, FROM_API), applied(FROM_API, read=READ))

    # A new version is put before the old one is taken away.
    versioned = "version:" in after
    assert [type(s) for s in plan.steps] == [PutObject, DeleteObject][: 2 if versioned else 1]
    assert said(plan) == []


def test_another_key_does_not_fit_the_table() -> None:
    """The plan says that the run will stop, and what to do; a table that is replaced is made anew."""
    state = applied(CUSTOMERS, read=READ)
    keyed = planned(edited("import.yaml", "write: upsert", "write: upsert, key: [email]"), state)
    replaced = planned(edited("import.yaml", "write: upsert", "write: replace, key: [email]"), state)

    assert any(
        "stops (SYN486) if warehouse/customers is there without a unique key on (email)" in s for s in said(keyed)
    )
    assert not any("SYN486" in s for s in said(replaced))


def test_a_log_that_becomes_a_table_has_no_key() -> None:
    """A table that was appended to has no primary key to upsert by."""
    before = edited("import.yaml", "write: upsert", "write: append")

    assert any("SYN486" in s for s in said(planned(CUSTOMERS, applied(before))))


def test_a_retired_flow_says_what_is_forgotten() -> None:
    """With a position it starts over when declared again; without one there is nothing to forget."""
    after = {k: v for k, v in CUSTOMERS.items() if k != "import.yaml"}

    (effect,) = planned(after, applied(CUSTOMERS, read=READ)).changes[0].effects
    assert (str(effect.kind), effect.basis, effect.reversible) == ("cursor-reset", "state", False)
    (effect,) = planned(after, applied(CUSTOMERS)).changes[0].effects
    assert (str(effect.kind), effect.basis, effect.reversible) == ("runs-changed", "declared", True)


def test_moving_a_manifest_to_another_file_is_no_change() -> None:
    """A recorded place is of the recorded revision; another file with the same declaration changes nothing."""
    after = {("new/" + file): text for file, text in CUSTOMERS.items()}

    assert planned(after, applied(CUSTOMERS)).empty


def test_deleting_what_is_absent_is_an_effect_that_cannot_be_undone() -> None:
    """It is told when it begins, with its bound, and when it ends; of a new flow too."""
    keeps = edited("import.yaml", "kind: Import", "kind: Sync")
    sweeps = edited("import.yaml", "write: upsert", "write: upsert, absent: delete, guards: {maxDeletes: 5%}", keeps)
    begins = "rows of warehouse/customers are deleted where a read no longer has their record, at most 5% in a run"
    ends = "rows of warehouse/customers stay as they are where a read no longer has their record"

    for before, after, expected in ((keeps, sweeps, begins), (sweeps, keeps, ends), ({}, sweeps, begins)):
        plan = planned(after, applied(before))
        found = [e for c in plan.changes for e in c.effects if "no longer has" in e.message]
        assert [(e.message, e.reversible) for e in found] == [(expected, expected == ends)]
