"""Who may do what with a tenant by commands: roles, refusals in the log, and tenants that somebody doesn't see."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace

import pytest

from syncline import inspection, privacy, workflow
from syncline.executor.access.reveal import reveal
from syncline.executor.access.roles import MAY, Person, Right, groups_of, view
from syncline.executor.progress import Silent
from syncline.kinds.tenant import Access
from syncline.model.account import login
from syncline.model.errors import Invalid, Stalled, SynclineError
from syncline.model.key import ObjectKey
from syncline.model.subject import Subject
from syncline.reconciler.keys import destroy_key
from syncline.secrets.keys.ring import KeyRing
from syncline.settings import Settings
from tests.e2e import house
from tests.e2e.test_quotas import lived_in
from tests.look import Look

ROLES = (
    "access: {roles: {viewer: [vera], operator: [otto, '@nobodys'], engineer: [emma], security: [sue], admin: [ann]}}"
)
Act = Callable[[Settings], object]
PEOPLE = {"vera": "viewer", "otto": "operator", "emma": "engineer", "sue": "security", "ann": "admin", "mallory": ""}


def as_(settings, name):
    return replace(settings, actor=name)


def tried(settings, name, act):
    """Whether somebody may do something; another error than a refusal means that it was let through."""
    try:
        act(as_(settings, name))
    except SynclineError as error:
        return error.code != "SYN865"
    return True


def test_each_role_may_do_its_part(tmp_path):
    """Of every verb, exactly those may use it whose role has the right; each refusal is in the log, with the person."""
    settings = lived_in(tmp_path, ROLES)
    run = workflow.run(as_(settings, "otto"), house.FLOW, progress=Silent()).record.id
    crm = ObjectKey("acme", "Integration", "crm")
    subject = Subject("customer", "ada@example.com")

    def sample(who):
        return inspection.sample(who, workflow.validate(who), crm, "customers", 1, shown=False)

    by_run: list[tuple[Right, Act]] = [  # whoever doesn't see the run is told that there is none
        (Right.run, lambda who: workflow.retry(who, run, progress=Silent())),
        (Right.run, lambda who: workflow.plan_undo(who, run)),
        (Right.read, lambda who: list(workflow.rejects(who, run))),
    ]
    by_tenant: list[tuple[Right, Act]] = [
        (Right.run, lambda who: workflow.run(who, house.FLOW, progress=Silent())),
        (Right.run, lambda who: inspection.check(who, workflow.validate(who), crm)),
        (Right.read, lambda who: workflow.preview(who, house.FLOW, limit=1)),
        (Right.read, lambda who: workflow.rehearse(who, house.FLOW, progress=Silent())),
        (Right.read, lambda who: workflow.compare(who, house.FLOW, progress=Silent())),
        (Right.read, sample),
        (Right.unseal, lambda who: privacy.export(who, "acme", subject)),
        (Right.unseal, lambda who: reveal(who, "acme", ["x"], "token")),
    ]
    for number, (right, act) in enumerate([*by_run, *by_tenant]):
        may = {name for name in PEOPLE if tried(settings, name, act)}
        unseen = {"mallory"} if number < len(by_run) else set()
        assert may == {name for name, role in PEOPLE.items() if role in MAY[right]} | unseen, (right, number)
    assert not tried(settings, "otto", lambda who: destroy_key(who, "acme"))
    told = [e for e in house.audit_events(settings) if e["metadata"]["event_code"] == "access.deny"]
    assert {e["unmapped"]["details"]["person"] for e in told} >= {"vera", "otto", "sue", "mallory"}
    assert {e["status_code"] for e in told} == {"denied"}


def test_who_has_no_role_sees_nothing_of_the_tenant(tmp_path):
    """Objects, runs, statuses, events and messages of it aren't there for somebody without a role; for others they are."""
    settings = lived_in(tmp_path, ROLES)
    run = workflow.run(as_(settings, "otto"), house.FLOW, progress=Silent()).record.id
    mallory = as_(settings, "mallory")
    assert workflow.objects(mallory) == ()
    assert workflow.runs(mallory, None, 10) == ()
    assert {key.kind for key in workflow.statuses(mallory)} == {"Source"}
    with pytest.raises(Invalid, match="there is no run"):
        workflow.find_run(mallory, run)
    with view(mallory) as reader:
        assert {event.key.kind for event in reader.events()} <= {"Source"}
        assert reader.object(ObjectKey("", "Tenant", "acme")) is None
    vera = as_(settings, "vera")
    assert len(workflow.objects(vera)) == len(Look(settings.state_url).objects())
    assert workflow.find_run(vera, run).id == run


def test_without_roles_everybody_may(tmp_path):
    """A tenant that declares none is everybody's who has the home folder; a group of the system counts as one name."""
    settings = lived_in(tmp_path, "access: {}")
    assert workflow.run(as_(settings, "mallory"), house.FLOW, progress=Silent()).receipt
    access = Access(roles={"operator": ("@ops",)})
    assert Person("x", frozenset({"@ops"})).may(access, Right.run)
    assert not Person("@ops2", frozenset({"@op"})).may(access, Right.run)


def test_where_the_login_counts_nobody_is_claimed(tmp_path):
    """With `identity: login` a name opens nothing, the account all that its roles give; a refusal has both in the log."""
    strict = lived_in(tmp_path, "access: {identity: login, roles: {operator: [otto], admin: ['@nobodys']}}")
    for claimed in ("otto", login(), "@nobodys"):
        with pytest.raises(SynclineError, match=f"{login()} may not") as caught:
            workflow.run(as_(strict, claimed), house.FLOW, progress=Silent())
        assert caught.value.code in {"SYN865", "SYN709"}
    told = [
        e["unmapped"]["details"] for e in house.audit_events(strict) if e["metadata"]["event_code"] == "access.deny"
    ]
    assert {(one["person"], one.get("account", "")) for one in told} >= {("otto", login())}

    access = Access(identity="login", roles={"operator": (login(),), "viewer": tuple(groups_of(login()))})
    assert Person("mallory", login=login()).may(access, Right.run)
    assert not Person(login(), frozenset({"@ops"}), "mallory").may(access, Right.see)


def test_what_counts_is_applied(tmp_path):
    """Nobody gives a role to themselves by a file that isn't applied."""
    settings = lived_in(tmp_path, ROLES)
    (tmp_path / "tenant.yaml").write_text(house.TENANT)
    assert not tried(settings, "mallory", lambda who: workflow.run(who, house.FLOW, progress=Silent()))


def test_rejects_stop_at_the_quota_of_disk(tmp_path):
    """A run whose rejects go past it stops, resumable; the next doesn't begin; with more room it goes on."""
    settings = lived_in(tmp_path, "quotas: {spool: 1Ki}", rows=200)
    with pytest.raises(Stalled, match="its quota allows 1,024") as raised:
        workflow.run(settings, house.FLOW, progress=Silent())
    assert raised.value.code == "SYN864"
    assert Look(settings.state_url).rejects_size("acme") >= 1_024
    assert Look(settings.state_url).rejects_size("other") == 0
    (tmp_path / "tenant.yaml").write_text(house.TENANT.replace("spec: {", "spec: {quotas: {spool: 1Gi}, "))
    workflow.apply(settings)
    assert workflow.run(settings, house.FLOW, progress=Silent()).record.counts.read == 202


def test_a_packed_file_unpacks_within_the_quota_of_disk(tmp_path):
    """What would take more disk is refused before it does."""
    settings = lived_in(tmp_path, "quotas: {spool: 8Ki}", rows=1)
    data = tmp_path / "data" / "customers.csv"
    rows = "".join(house.line(n) + "\n" for n in range(1, 2000) if n % 7 and n % 11)
    packed = gzip.compress(("id,name,email,balance,born\n" + rows).encode())
    (tmp_path / "data" / "customers-2.csv.gz").write_bytes(packed)
    data.unlink()
    source = tmp_path / "source.yaml"
    source.write_text(source.read_text().replace("customers*.csv", "customers*.csv.gz"))
    workflow.apply(settings)
    with pytest.raises(Stalled, match="8,192 bytes of disk") as raised:
        workflow.run(settings, house.FLOW, progress=Silent())
    assert raised.value.code == "SYN864"


def test_another_key_seals_by_age(tmp_path):
    """With an age declared, the tenant's next run makes a key, the log says so, and what was sealed still opens."""
    settings = lived_in(tmp_path, "suspend: {reason: x, until: 2020-01-01}")
    first = workflow.run(settings, house.FLOW, progress=Silent()).record.id
    before = KeyRing.open(settings.keys)
    rejects, blob, former = (
        list(workflow.rejects(settings, first)),
        before.seal("acme", b"t", "t"),
        before.envelope("acme"),
    )
    (tmp_path / "tenant.yaml").write_text(house.TENANT.replace("spec: {", "spec: {keys: {rotation: 365d}, "))
    workflow.apply(settings)
    for _ in range(2):
        workflow.run(settings, house.FLOW, progress=Silent())
    after = KeyRing.open(settings.keys)
    assert after.envelope("acme").id != former.id
    assert after.unseal("acme", blob, "t") == b"t"
    assert rejects
    assert list(workflow.rejects(settings, first)) == rejects
    told = [e for e in house.audit_events(settings) if e["metadata"]["event_code"] == "key.rotate"]
    assert [e["unmapped"]["details"]["owner"] for e in told] == ["acme"]
