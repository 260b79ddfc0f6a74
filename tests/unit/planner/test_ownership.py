"""Tests of several sources on one state: each object has one owner, and nobody else's commit changes it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from syncline import workflow
from syncline.executor.services.facilities import open_facilities
from syncline.manifests.repository import Revision
from syncline.model.errors import Denied, Invalid
from syncline.model.key import ObjectKey
from syncline.model.run import RunState
from syncline.model.step import ResetCursor, RestoreCursor
from syncline.planner.serialize import dumps, loads
from syncline.reconciler.apply import apply_plan
from tests import repository
from tests.look import Look

SOURCE = """\
apiVersion: syncline/v1
kind: Source
metadata: {name: team}
spec:
  url: /srv/team.git
  declares: {tenants: [acme]}
"""
FLOW = {"mapping.yaml": repository.MAPPING, "import.yaml": repository.IMPORT}
FIRST = {"tenant.yaml": repository.TENANT, "files.yaml": repository.FILES, "source.yaml": SOURCE}
IMPORT = ObjectKey("acme", "Import", "customers")
MAPPING = ObjectKey("acme", "Mapping", "customer")
OTHER = repository.MAPPING.replace("name: customer", "name: other")


class Sources:
    """Trees of several sources on one state."""

    def __init__(self, folder):
        self.folder = folder
        self.settings = repository.write(folder / "first", FIRST)
        self.commits = 0

    def plan(self, name, texts):
        tree = repository.write(self.folder / (name or "first"), texts)
        settings = replace(self.settings, root=tree.root)
        self.commits += 1
        head = Revision(f"{self.commits:040x}", dirty=False)
        return workflow.plan(settings, head=head, source=name, allow_deletes=True)

    def apply(self, name, texts):
        """Applies what a source declares; its changes, by object and reason."""
        return self.take(self.plan(name, texts))

    def take(self, plan):
        with open_facilities(self.settings) as facilities:
            apply_plan(facilities, plan, lambda _: None)
        return {str(change.key): change.reason for change in plan.changes}

    def refused(self, name, texts):
        """The codes and messages that a source's tree is refused with."""
        with pytest.raises(Invalid) as caught:
            self.plan(name, texts)
        return [(d.code, d.message) for d in caught.value.diagnostics if d.severity == "error"]

    @property
    def look(self):
        return Look(self.settings.state_url)

    def owner(self, key):
        found = self.look.object(key)
        return None if found is None else found.source


@pytest.fixture
def sources(tmp_path):
    """The first source is applied, and a team's, which refers to what the first declares."""
    made = Sources(tmp_path)
    made.apply("", FIRST)
    made.apply("team", FLOW)
    return made


def test_references_across_sources_resolve(sources):
    """A team's flow uses the first source's integrations; each object is its own source's, under its own commit."""
    assert {o.key.kind: o.source for o in sources.look.objects()} == {
        "Tenant": "", "Integration": "", "Source": "", "Mapping": "team", "Import": "team",
    }  # fmt: skip
    assert sources.look.object(IMPORT).revision == f"{2:040x}"
    assert [(r.source, r.revision[-1]) for r in sources.look.history()] == [("team", "2"), ("", "1")]


def test_no_source_retires_what_another_declares(sources):
    """A commit of one source changes and retires its own objects only; nothing of the others is in its plan."""
    assert sources.apply("", FIRST) == {}
    assert sources.apply("team", {"mapping.yaml": repository.MAPPING}) == {str(IMPORT): "no longer declared"}
    assert sources.owner(MAPPING) == "team"
    assert sources.owner(ObjectKey("acme", "Integration", "crm")) == ""


def test_what_another_source_uses_can_not_be_taken_away(sources):
    """The first source can't remove an integration that the team's flow reads: the finding is at the team's place."""
    left = repository.FILES.split("---")[1].lstrip()
    with pytest.raises(Invalid) as caught:
        sources.plan("", {**FIRST, "files.yaml": left})
    (found,) = [d for d in caught.value.diagnostics if d.severity == "error"]
    assert (found.code, found.subject) == ("SYN221", str(IMPORT))
    assert str(found.place).startswith("team:import.yaml:")


def test_who_has_an_object_keeps_it(sources):
    """A second source that declares it is refused, and told who has it, at which commit and place."""
    before = sources.look.objects()
    ((code, message),) = sources.refused("", {**FIRST, "again.yaml": repository.MAPPING})
    assert (code, message) == ("SYN744", f"{MAPPING} is declared by the source team, at {f'{2:040x}'[:12]}")
    assert sources.look.objects() == before


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (repository.TENANT.replace("acme", "other"), "Tenant/other"),
        (SOURCE.replace("name: team", "name: friend"), "Source/friend"),
        (repository.MAPPING.replace("tenant: acme", "tenant: elsewhere"), "elsewhere/Mapping/customer"),
        ("apiVersion: syncline/v1\nkind: Policy\nmetadata: {name: mine, tenant: acme}\nspec: {packs: [baseline]}\n",
         "acme/Policy/mine"),
        ("apiVersion: syncline/v1\nkind: Policy\nmetadata: {name: all}\nspec: {packs: [baseline]}\n", "Policy/all"),
    ],
    ids=["tenant", "source", "another tenant", "policy", "shared"],
)  # fmt: skip
def test_a_source_declares_what_it_may(sources, text, what):
    """Everything but a tenant's own kinds is refused, whatever else the commit holds."""
    found = sources.refused("team", {**FLOW, "more.yaml": text})
    assert ("SYN745", f"{what} may not be declared by the source team") in found


def test_a_rule_that_is_extended_counts(sources):
    """Shared kinds and chosen kinds are let in by the first source's next commit, and by nothing else."""
    shared = "apiVersion: syncline/v1\nkind: Policy\nmetadata: {name: all}\nspec: {packs: [baseline]}\n"
    wider = SOURCE.replace("{tenants: [acme]}", "{tenants: [acme], kinds: [Mapping, Import], shared: [Policy]}")
    sources.apply("", {**FIRST, "source.yaml": wider})
    assert sources.apply("team", {**FLOW, "more.yaml": shared}).keys() == {"Policy/all"}
    assert sources.owner(ObjectKey("", "Policy", "all")) == "team"


def test_a_source_that_is_not_declared_declares_nothing(sources):
    """A name that no Source has gives no rights."""
    assert {code for code, _ in sources.refused("stranger", {"other.yaml": OTHER})} == {"SYN745"}


def test_an_object_moves_between_sources_with_its_position_and_history(sources):
    """With a transfer in the first source, what the receiver declares becomes its own; nothing of it is lost."""
    (sources.settings.root / "data").mkdir(exist_ok=True)
    (sources.settings.root / "data" / "customers.csv").write_text("id,name,email\n1,Ann,ann@example.com\n")
    assert workflow.run(sources.settings, IMPORT, progress=_silent()).record.state is RunState.succeeded
    before = (sources.look.cursor(IMPORT), sources.look.object(IMPORT).generation)
    assert before[0] is not None

    friend = SOURCE.replace("name: team", "name: friend").rstrip() + (
        "\n  transfers:\n  - {objects: [acme/Import/customers, acme/Mapping/customer], from: team}\n"
    )
    first = {**FIRST, "friend.yaml": friend}
    sources.apply("", first)
    assert sources.apply("team", {}) == {}  # given away, and so not retired
    reason = "taken over from the source team; nothing else changes"
    assert sources.apply("friend", FLOW) == {str(IMPORT): reason, str(MAPPING): reason}

    assert sources.owner(IMPORT) == "friend"
    assert (sources.look.cursor(IMPORT), sources.look.object(IMPORT).generation) == before
    assert len(sources.look.runs(IMPORT)) == 1
    assert {code for code, _ in sources.refused("team", FLOW)} == {"SYN744"}  # the giver has them no more
    assert sources.apply("team", {}) == {}


def test_an_object_goes_back_to_the_first_source(sources):
    """A transfer to main lets the first source have it, in the same commit."""
    given = SOURCE.rstrip() + "\n  transfers: [{objects: [acme/Mapping/customer], to: main}]\n"
    assert str(MAPPING) in sources.apply("", {**FIRST, "source.yaml": given, "mapping.yaml": repository.MAPPING})
    assert sources.owner(MAPPING) == ""


def test_objects_of_a_source_that_is_gone_stay(sources):
    """A Source that is no longer declared retires nothing; it is told, and who declares its objects gets them."""
    first = {name: text for name, text in FIRST.items() if name != "source.yaml"}
    plan = sources.plan("", first)
    assert [(d.code, d.severity) for d in plan.findings] == [("SYN747", "warning")]
    sources.take(plan)
    assert sources.owner(IMPORT) == "team"
    assert sources.apply("", {**first, **FLOW}).keys() == {str(IMPORT), str(MAPPING)}
    assert sources.owner(IMPORT) == ""
    assert sources.apply("", first).keys() == {str(IMPORT), str(MAPPING)}  # retired, by who has them now


def test_the_first_source_is_called_main_and_no_other(sources):
    """A Source of that name could not be told from the repository that declares it."""
    found = sources.refused("", {**FIRST, "main.yaml": SOURCE.replace("name: team", "name: main")})
    assert ("SYN745", "a Source can't be called main: that is this repository") in found


def test_a_plan_of_a_source_says_so_and_can_not_be_passed_off(sources):
    """The source is part of the plan's digest, and a plan under another name is refused when it is applied."""
    plan = sources.plan("team", {**FLOW, "other.yaml": OTHER})
    assert loads(dumps(plan)).basis.source == "team"
    passed_off = structs.replace(plan, basis=structs.replace(plan.basis, source="stranger"))
    with pytest.raises(Invalid) as caught:
        sources.take(passed_off)
    assert caught.value.code == "SYN744"
    assert sources.take(plan).keys() == {"acme/Mapping/other"}


@pytest.mark.parametrize("step", [ResetCursor(IMPORT, "because"), RestoreCursor(IMPORT, "1" * 40)])
def test_positions_of_other_sources_stay(sources, step):
    """A plan that says something else is refused; one that changes what the flow reads from resets it as it must."""
    sources.apply("team", FLOW)
    with open_facilities(sources.settings) as facilities:
        facilities.store.put_cursor(IMPORT, "7")
    elsewhere = {**FIRST, "files.yaml": repository.FILES.replace("{root: data}", "{root: other}")}
    plan = sources.plan("", elsewhere)
    assert any(isinstance(s, ResetCursor) and s.key == IMPORT for s in plan.steps)
    harmless = sources.plan("", {**FIRST, "other.yaml": OTHER})
    with pytest.raises(Invalid) as caught:
        sources.take(structs.replace(harmless, steps=(step, *harmless.steps)))
    assert caught.value.code == "SYN744"
    sources.take(sources.plan("", elsewhere))


def test_what_was_wrong_before_is_nobody_elses_fault(sources):
    """What policy denies of another source's objects as they are keeps this source's commits from nothing."""
    tenant = repository.TENANT.replace("name: acme", "name: beta")
    source = SOURCE.replace("name: team", "name: beta-team").replace("[acme]", "[beta]")
    sources.apply("", {**FIRST, "beta.yaml": tenant, "beta-source.yaml": source})
    key = ObjectKey("", "Tenant", "acme")
    with open_facilities(sources.settings) as facilities, facilities.store.lease("apply", "") as lease:
        # As when a rule becomes stricter with a new version, or an exception ends: what is applied isn't allowed now.
        known = facilities.store.object(key)
        assert known is not None
        document = known.document.replace("eu-*", "us-*")
        assert document != known.document
        facilities.store.begin_apply(lease, "upgrade", "p", "r", ["put"])
        facilities.store.put_object(lease, "upgrade", 0, structs.replace(known, document=document))
        facilities.store.finish_apply(lease, "upgrade")
    with pytest.raises(Denied):
        sources.plan("team", {**FLOW, "other.yaml": OTHER})
    plan = sources.plan("beta-team", {"other.yaml": OTHER.replace("acme", "beta")})
    assert not plan.denied
    assert sources.take(plan).keys() == {"beta/Mapping/other"}


def _silent():
    from syncline.executor.progress import Silent

    return Silent()


def test_a_run_names_its_sources_commit_also_when_it_looked_during_the_apply(sources, monkeypatch):
    """Whoever reads what is applied while an apply ends sees its commit as soon as it has ended, at the same serial."""
    with workflow.engine(sources.settings) as engine:
        store = type(engine.facilities.store)
        finish, seen = store.finish_apply, []

        def slow(self, *arguments, **options):
            seen.append(engine.applied().under(IMPORT)[0])
            return finish(self, *arguments, **options)

        monkeypatch.setattr(store, "finish_apply", slow)
        sources.apply("team", {**FLOW, "other.yaml": OTHER})
        assert seen == [f"{2:040x}"]
        assert engine.applied().under(IMPORT)[0] == f"{3:040x}"
