"""Approval-bound applies: a daemon's process, real SSH keys, and commits that people push for it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from syncline import workflow
from syncline.audit.log_signer import load_signer
from syncline.cli.main import main
from syncline.executor.progress import Silent
from syncline.executor.services.recorder import publish_pending
from syncline.model.key import ObjectKey
from tests import warm
from tests.e2e.daemon import GIT, Remote, serving, until
from tests.e2e.house import TABLE, Scenario, audit_events, audit_ok, customers, settings_of
from tests.look import Look
from tests.people import allowing, person

pytestmark = pytest.mark.slow  # each starts a daemon, and waits for what it says

UPSERT = Scenario("upsert")
FLOW = UPSERT.key
QUIET = ObjectKey("acme", "Integration", "spare")
SPARE = """\
apiVersion: syncline/v1
kind: Integration
metadata: {name: spare, tenant: acme}
spec: {connector: sqlite@^1, config: {path: NAME.db}}
"""
#: A change that resets the position of the flow.
ELSEWHERE = {**UPSERT.texts, "sync.yaml": UPSERT.texts["sync.yaml"].replace(f"warehouse/{TABLE}", "warehouse/people")}


class House:
    """A repository with its people, its state, and the file of approvers on the operator's machine."""

    def __init__(self, folder: Path) -> None:
        self.remote, self.root = Remote(folder), folder / "root"
        self.people = {name: person(folder / "keys", name) for name in ("ada", "bob", "eve")}
        self.approvers = allowing(folder / "approvers", self.people["ada"], self.people["bob"])
        customers(self.root, 20)
        self.settings = settings_of(self.root)

    def commit(self, texts, author="dev"):
        """What a developer pushes."""
        return self.remote.push(texts, f"--author={author} <{author}@example.com>")

    def approve(self, by, *options):
        """Somebody checks the branch out, approves against the state, and pushes what that wrote."""
        state = {"SYNCLINE_STATE": self.settings.state_url, "SYNCLINE_ACTOR": by}
        command = ["--root", str(self.remote.work), "approve", "--yes", "--key", str(self.people[by].key), *options]
        with CliRunner().isolation(env=state) as (_, err, _):
            assert not main(command), err.getvalue().decode()
        return self.push(by)

    def push(self, author):
        """Commits what lies in the work tree, as somebody."""
        work = self.remote.work
        self.git("add", "--all", "--", ":(exclude).syncline")
        self.git("commit", "--quiet", "--message=approval", f"--author={author} <{author}@example.com>")
        self.git("push", "--quiet", "origin", "main")
        return subprocess.run(
            ["git", "-C", str(work), "rev-parse", "HEAD"], check=True, capture_output=True, text=True
        ).stdout.strip()

    def git(self, *arguments):
        environ = {**os.environ, **GIT}
        subprocess.run(["git", "-C", str(self.remote.work), *arguments], env=environ, check=True, capture_output=True)

    @property
    def reader(self):
        return Look(self.settings.state_url)

    @contextmanager
    def daemon(self, *options):
        """A daemon that demands approvals."""
        with serving(self.root, self.remote, "--approvers", str(self.approvers), *options) as found:
            yield found


@pytest.fixture
def house(tmp_path):
    """A house in which the flow is applied and has run, so that it has a position to lose."""
    found = House(tmp_path)
    found.commit(UPSERT.texts)
    workflow.apply(replace(found.settings, root=found.remote.work))
    workflow.run(found.settings, FLOW, progress=Silent())
    assert found.reader.cursor(FLOW)
    return found


def declared(house, key=FLOW):
    """Where the applied flow writes to; '' where it isn't applied."""
    applied = house.reader.object(key)
    return json.loads(applied.document)["spec"].get("to", "there") if applied else ""


def waits(house, key=FLOW):
    """Code and message that an object waits with."""
    status = house.reader.statuses([key]).get(key)
    return next((c.message for c in status.conditions if str(c.type) == "Ready"), "") if status else ""


def used(house):
    """The evidence of approvals that were used."""
    return [
        event["unmapped"]["details"] for event in events(house) if event["metadata"]["event_code"] == "approval.use"
    ]


def events(house):
    """All evidence, also what a daemon that was killed left in its journal."""
    publish_pending(house.settings.audit, lambda: load_signer(house.settings))
    return audit_events(house.settings)


def test_approvers_without_signers_are_warned_of(house, tmp_path):
    """Whoever serves with approvers alone is told that authors can make up who they are; with signers, nobody is."""
    with house.daemon() as daemon:
        daemon.says("warning: who made a change is known by addresses that anybody can make up")
    signers = allowing(tmp_path / "signers", *house.people.values())
    with house.daemon("--allowed-signers", str(signers)) as daemon:
        daemon.says("this daemon works from now on")
        assert not any("warning:" in line for line in daemon.said)


def test_a_risky_change_waits_for_an_approval_and_the_rest_does_not(house):
    """What resets a position is held and says so; what is harmless in the same commit is applied. The approval lets it go."""
    commit = house.commit({**ELSEWHERE, "spare.yaml": SPARE.replace("NAME", "one")})
    with house.daemon() as daemon:
        daemon.says("needs approval to replace")
        assert declared(house, QUIET) == "there"
        assert declared(house) == "warehouse/customers"
        assert "[SYN720]" in waits(house)
        approved = house.approve("ada")
        daemon.says(f"{approved[:12]} is applied: ")

    assert declared(house) == "warehouse/people"
    assert house.reader.cursor(FLOW) is None
    (use,) = used(house)
    assert use["signers"] == ["ada@example.com"]
    assert use["objects"] == [str(FLOW)]
    assert use["revision"] == approved
    assert commit != approved
    assert audit_ok(house.settings)


def test_evidence_joins_the_approval_to_the_plan_and_its_steps(house):
    """By the plan's digest: approval, decision, steps and end of the apply; by the file's digest: what was signed."""
    house.commit(ELSEWHERE)
    approved = house.approve("ada")
    with house.daemon() as daemon:
        daemon.says(f"{approved[:12]} is applied")
    (use,) = used(house)
    named = {
        event["metadata"]["event_code"]
        for event in events(house)
        if event["unmapped"]["details"].get("plan") == use["plan"]
    }
    (file,) = (house.remote.work / "approvals").glob("*.json")

    assert {"plan", "policy.decision", "approval.use", "apply.step", "apply.finish"} <= named
    assert file.stem == use["effects"]
    assert hashlib.sha256(file.read_bytes()).hexdigest() == use["approval"]


def test_authors_do_not_approve_their_own_change(house):
    """Whoever made any commit of the change, an approver or not, can't approve it; somebody else can."""
    house.commit(ELSEWHERE, author="ada")
    house.commit({**ELSEWHERE, "spare.yaml": SPARE.replace("NAME", "one")})
    house.approve("ada")
    with house.daemon() as daemon:
        daemon.says("ada@example.com is an author of what is approved")
        assert declared(house) == "warehouse/customers"
        assert "[SYN722]" in waits(house)
        approved = house.approve("bob")
        daemon.says(f"{approved[:12]} is applied")

    assert used(house)[0]["signers"] == ["bob@example.com"]


def test_an_author_stays_one_while_the_change_waits(house):
    """A later commit by somebody else, once the first was applied in part, doesn't make its author a stranger."""
    house.commit({**ELSEWHERE, "spare.yaml": SPARE.replace("NAME", "one")}, author="ada")
    with house.daemon() as daemon:
        until(lambda: declared(house, QUIET))
        second = house.commit({**ELSEWHERE, "spare.yaml": SPARE.replace("NAME", "two")}, author="dev")
        daemon.says(f"{second[:12]} is applied but for {FLOW}")
        house.approve("ada")
        daemon.says("ada@example.com is an author of what is approved")

    assert declared(house) == "warehouse/customers"


def test_manifests_among_the_approvals_have_authors_too(house):
    """A manifest in the folder of approvals is one like any other, and so is who wrote it."""
    (house.remote.work / "approvals").mkdir()
    (house.remote.work / "approvals" / "sync.yaml").write_text(ELSEWHERE["sync.yaml"])
    (house.remote.work / "sync.yaml").unlink()
    house.push("ada")
    house.approve("ada")
    with house.daemon() as daemon:
        daemon.says("ada@example.com is an author of what is approved")


def test_somebody_who_may_not_is_nobody(house):
    """A signature by a key that the operator doesn't have counts for nothing, and nor does a file of approvers in the commit."""
    house.commit(ELSEWHERE)
    (house.remote.work / "approvers").write_text(house.people["eve"].allowed)
    house.approve("eve")
    with house.daemon() as daemon:
        daemon.says("0 of 1 approvers signed it")

    assert declared(house) == "warehouse/customers"


def test_what_was_added_after_the_approval_is_not_covered(house):
    """A commit on top that does more to the same object stops, and the difference is told."""
    house.commit(ELSEWHERE)
    house.approve("ada")
    later = {**ELSEWHERE, "sync.yaml": ELSEWHERE["sync.yaml"].replace("warehouse/people", "warehouse/others")}
    for name, text in later.items():
        (house.remote.work / name).write_text(text)
    house.push("dev")
    with house.daemon() as daemon:
        daemon.says("doesn't cover it: warehouse/others is created")
        assert "[SYN721]" in waits(house)

    assert declared(house) == "warehouse/customers"


def test_an_approval_counts_once(house):
    """The same change a second time needs another approval, though the first is in the tree and hasn't expired."""
    spare = house.remote.work / "spare.yaml"
    with house.daemon() as daemon:
        house.commit({**UPSERT.texts, "spare.yaml": SPARE.replace("NAME", "one")})
        until(lambda: declared(house, QUIET))
        house.commit(UPSERT.texts)
        approved = house.approve("ada")
        daemon.says(f"{approved[:12]} is applied")
        assert not declared(house, QUIET)
        spare.write_text(SPARE.replace("NAME", "one"))
        house.push("dev")
        until(lambda: declared(house, QUIET))
        spare.unlink()
        house.push("dev")
        daemon.says(f"doesn't count: it was used by {approved[:12]} already")
        assert declared(house, QUIET)
        again = house.approve("ada", "--renew")
        daemon.says(f"{again[:12]} is applied")

    assert not declared(house, QUIET)


def test_two_people_where_two_are_demanded(house):
    """One signature isn't two, however often it is given; two people's are."""
    house.commit(ELSEWHERE)
    house.approve("ada")
    (signature,) = (house.remote.work / "approvals").glob("*.sig")
    signature.with_name(signature.name.replace(signature.suffixes[0], ".0123")).write_bytes(signature.read_bytes())
    house.push("dev")
    with house.daemon("--approval-count", "2") as daemon:
        daemon.says("1 of 2 approvers signed it")
        approved = house.approve("bob")
        daemon.says(f"{approved[:12]} is applied")

    assert used(house)[0]["signers"] == ["ada@example.com", "bob@example.com"]


def test_an_approval_expires(house):
    """One that isn't used in time doesn't count."""
    house.commit(ELSEWHERE)
    house.approve("ada", "--days", "0.000001")
    with house.daemon() as daemon:
        daemon.says("doesn't count: it expired at")


def test_an_altered_approval_is_none(house):
    """What was signed can't be given another end."""
    house.commit(ELSEWHERE)
    house.approve("ada", "--days", "0.000001")
    (file,) = (house.remote.work / "approvals").glob("*.json")
    text = file.read_text()
    expires = json.loads(text)["expires"]
    file.write_text(text.replace(expires, expires.replace("20", "21", 1)))
    house.push("dev")
    with house.daemon() as daemon:
        daemon.says("0 of 1 approvers signed it")


def test_every_change_where_all_need_approval(house):
    """With `always`, a harmless change waits too."""
    house.commit({**UPSERT.texts, "spare.yaml": SPARE.replace("NAME", "one")})
    with house.daemon("--approvals", "always") as daemon:
        daemon.says(f"{QUIET} needs approval to create")
        approved = house.approve("bob")
        daemon.says(f"{approved[:12]} is applied")


def test_a_daemon_that_is_killed_goes_on_under_the_same_approval(house):
    """The note of its use is durable before the first step, and the same commit may use it again."""
    house.commit(ELSEWHERE)
    approved = house.approve("ada")
    with house.daemon() as daemon:
        until(lambda: house.reader.approval_base("") or declared(house) != "warehouse/customers")
        daemon.process.kill()
    with house.daemon() as daemon:
        daemon.says(f"{approved[:12]} is applied")

    assert declared(house) == "warehouse/people"
    assert audit_ok(house.settings)


def test_ci_shows_the_effects_that_are_approved(house):
    """The comment has the digest, and `approve --effects` holds the approver to it."""
    house.commit(ELSEWHERE)
    work = house.remote.work
    state = {"SYNCLINE_STATE": house.settings.state_url}
    warm.run(
        [sys.executable, "-m", "syncline", "--root", str(work), "ci", "check", "--out", str(house.root / "ci")],
        env={**os.environ, **state}, check=True, capture_output=True,
    )  # fmt: skip
    plan = json.loads((house.root / "ci" / "plan.json").read_text())
    assert f"Effects `{plan['effects']}`: 1 change may need approval." in (house.root / "ci" / "comment.md").read_text()
    house.approve("ada", "--effects", plan["effects"])
    done = warm.run(
        [sys.executable, "-m", "syncline", "--root", str(work), "approve", "--yes", "--effects", "00" * 32,
         "--key", str(house.people["ada"].key)],
        env={**os.environ, **state}, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 3
    assert "SYN721" in done.stderr


#: What the house declares, with a tenant that demands two approvals.
DEMANDING = {
    **UPSERT.texts,
    "tenant.yaml": UPSERT.texts["tenant.yaml"].replace("spec: {", "spec: {changes: {approvals: {count: 2}}, "),
}


def test_a_tenant_demands_the_approval_of_two_where_the_operator_wants_one(house):
    """What is applied of the tenant decides, also of a commit that takes the demand away: one signature doesn't do."""
    house.commit(DEMANDING)
    workflow.apply(replace(house.settings, root=house.remote.work))
    house.commit(ELSEWHERE)
    with house.daemon() as daemon:
        daemon.says("no approval of 2 people is there")
        house.approve("ada")
        daemon.says("1 of 2 approvers signed it")
        assert declared(house) == "warehouse/customers"
        approved = house.approve("bob")
        daemon.says(f"{approved[:12]} is applied: ")

    assert declared(house) == "warehouse/people"
    assert used(house)[0]["signers"] == ["ada@example.com", "bob@example.com"]
