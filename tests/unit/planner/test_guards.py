"""Guards: what a plan may not do, and what it may only do when asked for."""

from __future__ import annotations

from syncline.model.change import Action
from tests.repository import CUSTOMERS, TENANT, edited
from tests.unit.planner.states import applied, codes, planned

IMPORT = "{name: customers, tenant: acme}"


def flow(name: str, tenant: str = "acme", more: str = "") -> str:
    """An import of that name into a table of that name."""
    text = CUSTOMERS["import.yaml"].replace("warehouse/customers", f"warehouse/{name}")
    return text.replace(IMPORT, f"{{name: {name}, tenant: {tenant}{more}}}")


def other(tenant: str) -> dict[str, str]:
    """The repository again, as another tenant's."""
    return {f"{tenant}-{file}": text.replace("acme", tenant) for file, text in CUSTOMERS.items()}


def without(texts: dict[str, str], *files: str) -> dict[str, str]:
    """The repository without some files."""
    return {file: text for file, text in texts.items() if file not in files}


def test_a_move_onto_an_applied_name_is_refused() -> None:
    """Two applied objects don't become one: nothing is deleted silently, and both places are named."""
    state = applied({**CUSTOMERS, "other.yaml": flow("other")})
    plan = planned(
        {**without(CUSTOMERS, "import.yaml"), "other.yaml": flow("other", more=", moved: {name: customers}")}, state
    )

    (finding,) = plan.findings
    assert (finding.code, str(finding.place), [str(r.place) for r in finding.related]) == (
        "SYN622",
        "other.yaml:3:46",
        ["import.yaml:1:1"],
    )
    assert not plan.can_apply


def test_a_move_that_was_made_may_stay_declared() -> None:
    """`moved` of an object that has its new name, and of one that was never applied, changes nothing."""
    texts = {**without(CUSTOMERS, "import.yaml"), "other.yaml": flow("other", more=", moved: {name: customers}")}

    assert planned(texts, applied(texts)).empty
    (change,) = planned(texts, applied(without(texts, "other.yaml"))).changes
    assert change.action is Action.create


def test_a_move_does_not_drop_protection() -> None:
    """A protected object is moved to a protected name only; protection ends by an apply of its own."""
    state = applied(edited("import.yaml", IMPORT, IMPORT.replace("}", ", protected: true}")))
    rest = without(CUSTOMERS, "import.yaml")

    refused = planned({**rest, "i.yaml": flow("other", more=", moved: {name: customers}")}, state)
    kept = planned({**rest, "i.yaml": flow("other", more=", moved: {name: customers}, protected: true")}, state)

    assert codes(refused) == ["SYN623"]
    assert not refused.can_apply
    assert kept.can_apply


def test_a_tenant_is_not_retired_by_the_way() -> None:
    """Retiring a tenant is a finding, however small it is among the others."""
    texts = {**CUSTOMERS, **{k: v for n in ("bravo", "carol", "delta", "eve", "finn") for k, v in other(n).items()}}
    state = applied(texts)
    after = without(texts, *other("eve"))

    refused, asked = planned(after, state), planned(after, state, allow_deletes=True)

    assert codes(refused) == ["SYN624"]
    assert refused.findings[0].message == "the plan retires the tenant eve, with 4 of its 4 objects"
    assert asked.can_apply


def test_a_tenant_does_not_lose_all_flows_by_the_way() -> None:
    """All flows of a tenant are as much as the tenant; its only one, or one of them, may be retired."""
    texts = {**CUSTOMERS, "other.yaml": flow("other")}

    assert codes(planned(without(texts, "other.yaml"), applied(texts))) == []
    assert codes(planned(without(CUSTOMERS, "import.yaml"), applied(CUSTOMERS))) == []
    assert codes(planned(without(texts, "other.yaml", "import.yaml"), applied(texts))) == ["SYN624"]


def test_a_tenant_without_objects_is_retired_by_name() -> None:
    """A tenant whose own objects are gone already is still a tenant."""
    texts = {**CUSTOMERS, "idle.yaml": TENANT.replace("acme", "idle")}

    assert codes(planned(CUSTOMERS, applied(texts))) == ["SYN624"]


def bounded(share: str, *names: str) -> dict[str, str]:
    """A tenant that says how many of its objects one commit may retire, with these flows besides the repository's."""
    tenant = TENANT.replace("spec:\n", f"spec:\n  maxDeletes: {share}\n")
    return {**CUSTOMERS, "tenant.yaml": tenant, **{f"{name}.yaml": flow(name) for name in names}}


def test_a_tenant_bounds_what_one_commit_may_retire() -> None:
    """More than `maxDeletes` is refused where the default wouldn't be, and asked for passes; as much as it is passes."""
    texts = bounded("20%", "a", "b", "c", "d", "e", "f")  # ten objects, with those of the repository
    state = applied(texts)

    refused = planned(without(texts, "a.yaml", "b.yaml", "c.yaml"), state)

    assert codes(refused) == ["SYN780"]
    assert not refused.can_apply
    assert refused.findings[0].message == (
        "the plan retires 3 of 10 objects of the tenant acme, more than its maxDeletes 20% allows"
    )
    assert codes(planned(without(texts, "a.yaml"), state)) == []
    assert planned(without(texts, "a.yaml", "b.yaml", "c.yaml"), state, allow_deletes=True).can_apply


def test_a_commit_does_not_raise_its_own_bound() -> None:
    """The bound that was applied counts for a commit that raises, or drops, it and retires more."""
    before, names = bounded("1", "a", "b"), ("a.yaml", "b.yaml")

    assert codes(planned(without(bounded("100%", "a", "b"), *names), applied(before))) == ["SYN780"]
    assert codes(planned(CUSTOMERS, applied(before))) == ["SYN780"]
    assert codes(planned(bounded("100%", "a", "b"), applied(before))) == []
    assert codes(planned(without(bounded("100%", "a", "b"), *names), applied(bounded("100%", "a", "b")))) == []


def test_a_commit_does_not_lift_the_default_by_a_first_bound_of_its_own() -> None:
    """Where no bound was applied, the default holds for the commit that declares one and retires much."""
    names = ("a.yaml", "b.yaml", "c.yaml", "d.yaml")
    before = {**bounded("100%", "a", "b", "c", "d"), "tenant.yaml": TENANT}

    assert codes(planned(without(bounded("100%", "a", "b", "c", "d"), *names), applied(before))) == ["SYN620"]
    assert codes(planned(without(bounded("1", "a", "b", "c", "d"), *names[:2]), applied(before))) == ["SYN780"]


def test_a_bound_takes_the_place_of_the_default() -> None:
    """A tenant may also say that one commit may retire much of it; others are still bound by the default."""
    texts = bounded("100%", "a", "b", "c", "d")

    assert codes(planned(without(texts, "a.yaml", "b.yaml", "c.yaml", "d.yaml"), applied(texts))) == []
