"""What is kept back from who has no role in a tenant: no text of a finding or a plan names it, whatever stands around the name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins

from syncline.executor.access.seen import Unseen
from syncline.model.change import Action, Change, Effect, EffectKind
from syncline.model.diagnostic import Diagnostic, Place, Related
from syncline.model.key import ObjectKey
from syncline.model.plan import Basis, Plan, PolicyResult

UNSEEN = Unseen(frozenset({"globex", "globex-eu"}), frozenset({"a.yaml"}), frozenset({"shared.yaml"}))
WORDS = st.sampled_from(
    [
        "globex",
        "globex-eu",
        "Tenant/globex",
        "globex/Sync/secrets",
        "globex-eu/Import/x@1.0.0",
        "tenant globex",
        "of",
        " ",
        ", ",
        "'",
        '"',
        "(",
        ")",
        ":",
        ".",
        "/",
        "acme/Sync/x",
        "globexed",
        "é",
        "\n",
        "{",
        "}",
    ]
)
TEXTS = st.lists(WORDS, max_size=8).map(" ".join)
KEYS = st.builds(
    ObjectKey, st.sampled_from(["", "acme", "globex", "globex-eu"]), st.sampled_from(["Sync", "Mapping"]), st.just("x")
)
PLACES = st.builds(
    Place, st.sampled_from(["a.yaml", "shared.yaml", "globex-eu.yaml", "tenants/globex.yaml", "acme.yaml"])
)
FINDINGS = st.builds(
    Diagnostic,
    st.just("SYN201"),
    TEXTS,
    st.none() | st.builds(Place, st.sampled_from(["a.yaml", "shared.yaml", "acme.yaml"])),
    expected=TEXTS,
    suggestion=TEXTS,
    help=TEXTS,
    subject=KEYS.map(str) | st.just("") | st.just("globex"),
    excerpt=TEXTS,
    related=st.lists(st.builds(Related, PLACES, TEXTS), max_size=2).map(tuple),
)
EFFECTS = st.builds(Effect, st.sampled_from(EffectKind), KEYS.map(str), TEXTS)
CHANGES = st.builds(
    Change,
    st.sampled_from([Action.create, Action.move]),
    KEYS,
    TEXTS,
    effects=st.lists(EFFECTS, max_size=2).map(tuple),
    previous=st.none() | KEYS,
)
RESULTS = st.builds(PolicyResult, st.just("isolation"), KEYS.map(str), st.booleans(), TEXTS, st.none() | FINDINGS)


@given(st.lists(CHANGES, max_size=3), st.lists(RESULTS, max_size=3), st.lists(FINDINGS, max_size=3))
def test_a_plan_that_is_shown_names_no_tenant_that_isn_t_seen(changes, policy, findings):
    """Neither a change, an effect, a decision nor a finding of what is shown has the name; what is the reader's own stays."""
    plan = Plan(
        Basis("", dirty=False, lineage="", serial=1, manifests=""), tuple(changes), (), tuple(policy), tuple(findings)
    )
    shown = UNSEEN.plan(plan)
    assert not UNSEEN.names(repr(to_builtins(shown)).replace("\\n", "\n"))
    mine = {change.key for change in changes if change.key.tenant == "acme"}
    assert mine == {change.key for change in shown.changes if change.key.tenant == "acme"}
    told = [finding for finding in findings if finding.subject.startswith("acme/")]
    assert len(told) == sum(finding.subject.startswith("acme/") for finding in shown.findings)
