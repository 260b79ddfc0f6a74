"""Tests of schedules by event: circles, conditions and what an event needs are findings at their place."""

from __future__ import annotations

import pytest

from syncline.manifests.load import load_text
from syncline.manifests.resolve import resolve
from syncline.manifests.shelf import Catalog
from syncline.policy.conditions import check_conditions

HEAD = "apiVersion: syncline/v1\nkind: Schedule\nmetadata: {name: NAME, tenant: TENANT}\n"


def schedule(name, spec, tenant="acme"):
    return HEAD.replace("NAME", name).replace("TENANT", tenant) + f"spec: {{{spec}}}\n"


def after(name, before, *following, tenant="acme"):
    """A schedule that starts flows when others have run."""
    spec = f"on: {{event: run.finish, of: [{before}]}}, run: [{', '.join(following)}]"
    return schedule(name, spec, tenant)


def found(*texts):
    """Findings, but for those about flows and tenants that these tests don't declare."""
    loaded = load_text("---\n".join(texts), "a.yaml")
    resolved = resolve(loaded.manifests, loaded.broken, Catalog({}))
    every = [*loaded.diagnostics, *resolved.diagnostics, *check_conditions(resolved.desired)]
    return [(d.code, d.message, d.suggestion) for d in every if d.code not in {"SYN221", "SYN222"}]


def codes(*texts):
    return [code for code, _, _ in found(*texts)]


def test_a_flow_that_starts_itself_is_refused():
    """The shortest circle is one schedule."""
    ((code, message, _),) = found(after("a", "Sync/a", "Sync/a"))
    assert code == "SYN695"
    assert "Sync/a → Sync/a" in message


def test_a_circle_over_several_schedules_is_refused_once():
    """The schedule that closes it is named, with the way."""
    chain = (after("a", "Sync/a", "Sync/b"), after("b", "Sync/b", "Import/c"), after("c", "Import/c", "Sync/a"))
    ((code, message, _),) = found(*chain)
    assert code == "SYN695"
    assert "Import/c → Sync/a → Sync/b → Import/c" in message


def test_a_chain_that_joins_again_is_none():
    """Two ways from one flow to another are no circle, nor are flows of the same name of two tenants."""
    joined = (after("a", "Sync/a", "Sync/b", "Sync/c"), after("d", "Sync/b, Sync/c", "Sync/d"))
    assert codes(*joined) == []
    tenants = (after("a", "Sync/a", "Sync/b"), after("b", "Sync/b", "Sync/a", tenant="other"))
    assert "SYN695" not in codes(*tenants)


def test_whose_runs_count_has_to_be_said():
    """`of` is needed for the end of a run, and means nothing for an apply; other events start no runs."""
    assert codes(schedule("a", "on: {event: run.finish}, run: [Sync/a]")) == ["SYN202"]
    assert codes(schedule("a", "on: {event: apply.finish, of: [Sync/b]}, run: [Sync/a]")) == ["SYN205"]
    assert codes(schedule("a", "on: {event: apply.finish}, run: [Sync/a]")) == []
    assert found(schedule("a", "on: {event: run.finished, of: [Sync/b]}, run: [Sync/a]"))[0][2] == "run.finish"
    assert codes(schedule("a", "on: {event: secret.use}, run: [Sync/a]")) == ["SYN204"]


def test_a_webhook_is_of_no_flow_and_isnt_read():
    """Beside `webhook` there is no event, no `of` and no filter; its secret is a reference, and a header has a name."""
    secret = "secret: {secretRef: {provider: env, key: CRM_HOOK}}"

    def on(more="", inside=""):
        return codes(schedule("a", f"on: {{webhook: {{{secret}{inside}}}{more}}}, run: [Sync/a]"))

    assert on() == on(inside=", pause: 1m, hmac: {header: X-Signature, encoding: base64}") == []
    assert on(", event: apply.finish") == ["SYN211"]
    assert on(", of: [Sync/b]") == on(", filter: 'true'") == ["SYN205"]
    assert codes(schedule("a", "on: {}, run: [Sync/a]")) == ["SYN211"]
    assert on(inside=", hmac: {header: 'X Signature'}") != []
    assert codes(schedule("a", "on: {webhook: {secret: in the clear}}, run: [Sync/a]")) != []


@pytest.mark.parametrize(
    ("condition", "says", "suggestion"),
    [
        ("event.outcom == 'success'", "names outcom, which the event doesn't have", "event.outcome"),
        ("event.read >", "isn't CEL", ""),
        ("event.read + 1", "gives int, not true or false", ""),
        ("event.read > 'a'", "", ""),
    ],
)
def test_a_filter_is_tried_on_an_example(condition, says, suggestion):
    """A misspelt field, a broken text and a value that is no condition are found before any event comes."""
    spec = f'on: {{event: run.finish, of: [Sync/b], filter: "{condition}"}}, run: [Sync/a]'
    ((code, message, near),) = found(schedule("a", spec))
    assert code == "SYN696"
    assert says in message
    assert near == suggestion


def test_a_filter_that_fits_is_no_finding():
    """Texts, figures and functions of CEL."""
    for condition in ("event.outcome == 'failure' && event.rejected > 0", "event.name.startsWith('a')"):
        spec = f'on: {{event: run.finish, of: [Sync/b], filter: "{condition}"}}, run: [Sync/a]'
        assert codes(schedule("a", spec)) == []
