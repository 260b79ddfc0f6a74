"""`syncline apply` holds back what tenants and policies demand approvals or windows for, as a daemon does."""

from __future__ import annotations

import hashlib
import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from syncline.cli.main import main
from tests.e2e.house import audit_events
from tests.repository import CUSTOMERS, edited, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from syncline.settings import Settings

CLOSED = "windows: {deny: [{start: '00:00', end: '12:00'}, {start: '12:00', end: '00:00'}]}"
POLICY = "apiVersion: syncline/v1\nkind: Policy\nmetadata: {name: house}\nspec: {changes: {CHANGES}}\n"
#: The flow writes elsewhere.
ELSEWHERE = ("import.yaml", "to: warehouse/customers", "to: warehouse/people")


class House:
    """A repository of which a part is applied, and who may approve."""

    def __init__(self, root: Path, texts: dict[str, str]) -> None:
        self.root, self.texts = root / "repo", texts
        self.settings: Settings = write(self.root, texts)
        (self.root / "data").mkdir()
        (self.root / ".gitignore").write_text(".syncline/\nwarehouse.db\n")
        self.approvers = root / "approvers"
        self.approvers.write_text("")
        for name in ("ada", "bob", "dev"):
            key = root / name
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
            public = (root / f"{name}.pub").read_text().rsplit(" ", 1)[0]
            with self.approvers.open("a") as file:
                file.write(f'{name}@example.com namespaces="syncline-approval" {public}\n')
        self.git("init", "-q")
        self.commit("first")

    def git(self, *arguments: str) -> None:
        who = ["-c", "user.name=dev", "-c", "user.email=dev@example.com"]
        subprocess.run(["git", *who, *arguments], cwd=self.root, check=True, capture_output=True)

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def change(self, file: str, before: str, after: str) -> None:
        self.texts = edited(file, before, after, self.texts)
        write(self.root, self.texts)

    def table(self) -> str:
        from contextlib import closing

        from syncline.model.key import ObjectKey
        from syncline.state.open import open_reader

        with closing(open_reader(self.settings.state_url)) as reader:
            found = {known.key: known for known in reader.objects()}
        return json.loads(found[ObjectKey("acme", "Import", "customers")].document)["spec"]["to"]


@pytest.fixture
def house(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house with the given texts, applied once: the first apply needs nobody's approval."""
    made = House(tmp_path, request.param)
    monkeypatch.chdir(made.root)
    assert main(["apply", "--yes"]) == 0
    return made


def demanding(changes: str) -> dict[str, str]:
    return edited("tenant.yaml", "spec:\n", f"spec:\n  changes: {{{changes}}}\n")


TWO_BY_TENANT = demanding("approvals: {required: always, count: 2}")
TWO_BY_POLICY = {**CUSTOMERS, "policy.yaml": POLICY.replace("CHANGES", "approvals: {required: always, count: 2}")}


@pytest.mark.parametrize("house", [TWO_BY_TENANT, TWO_BY_POLICY], indirect=True, ids=["tenant", "policy"])
def test_two_approvals_that_a_tenant_or_a_policy_demands(house: House, tmp_path: Path, capsys) -> None:
    """Without, with one, and with the author's own: refused, and it says what to do; with two others', applied."""
    house.change(*ELSEWHERE)
    house.commit("elsewhere")
    capsys.readouterr()

    assert main(["apply", "--yes"]) == 3
    said = capsys.readouterr().err
    assert "SYN720" in said
    assert "--approvers" in said
    for name in ("dev", "ada"):
        assert main(["approve", "--yes", "--key", str(tmp_path / name)]) == 0
        house.commit(f"approved by {name}")
        assert main(["apply", "--yes", "--approvers", str(house.approvers)]) == 3
        assert "SYN722" in capsys.readouterr().err
        assert house.table() == "warehouse/customers"
    assert main(["approve", "--yes", "--key", str(tmp_path / "bob")]) == 0
    house.commit("approved by bob")

    assert main(["apply", "--yes", "--approvers", str(house.approvers)]) == 0

    assert house.table() == "warehouse/people"
    used = [e for e in audit_events(house.settings) if e["metadata"]["event_code"] == "approval.use"]
    details = used[0]["unmapped"]["details"]
    assert details["signers"] == ["ada@example.com", "bob@example.com"]
    assert details["approvers"] == hashlib.sha256(house.approvers.read_bytes()).hexdigest()


@pytest.mark.parametrize("house", [TWO_BY_TENANT], indirect=True)
def test_what_is_not_committed_is_nobodys_and_not_approved(house: House, tmp_path: Path, capsys) -> None:
    """Signatures of two don't count while the tree differs from its commit: it isn't known who made that."""
    house.change(*ELSEWHERE)
    house.commit("elsewhere")
    for name in ("ada", "bob"):
        assert main(["approve", "--yes", "--key", str(tmp_path / name)]) == 0
    capsys.readouterr()

    assert main(["apply", "--yes", "--approvers", str(house.approvers)]) == 3
    assert "isn't committed" in capsys.readouterr().err
    house.commit("approved")
    assert main(["apply", "--yes", "--approvers", str(house.approvers)]) == 0


def assume_unchanged(house: House) -> None:
    house.git("update-index", "--assume-unchanged", "import.yaml")
    house.change(*ELSEWHERE)


def skip_worktree(house: House) -> None:
    house.git("update-index", "--skip-worktree", "import.yaml")
    house.change(*ELSEWHERE)


def ignore(house: House) -> None:
    house.git("rm", "-q", "--cached", "import.yaml")
    (house.root / ".git" / "info" / "exclude").write_text("import.yaml\n")
    house.change(*ELSEWHERE)
    house.commit("the import is gone, as far as Git knows")


@pytest.mark.parametrize("house", [TWO_BY_TENANT], indirect=True)
@pytest.mark.parametrize("hide", [assume_unchanged, skip_worktree, ignore])
def test_what_git_was_told_to_overlook_is_not_committed(
    house: House, tmp_path: Path, capsys, hide: Callable[[House], None]
) -> None:
    """An edit that `git status` doesn't show has no author: signatures of two don't count, also of a saved plan."""
    hide(house)
    for name in ("ada", "bob"):
        assert main(["approve", "--yes", "--key", str(tmp_path / name)]) == 0
    house.git("add", "approvals")
    house.git("commit", "-q", "-m", "approved")
    saved = tmp_path / "plan.json"
    assert main(["plan", "--out", str(saved)]) == 0
    assert json.loads(saved.read_text())["basis"]["dirty"] is False
    capsys.readouterr()

    for plan in ([], [str(saved)]):
        assert main(["apply", "--yes", "--approvers", str(house.approvers), *plan]) == 3
        assert "isn't committed (import.yaml)" in capsys.readouterr().err
        assert house.table() == "warehouse/customers"


def clean(data: dict[str, Any]) -> None:
    data["basis"]["dirty"] = False


@pytest.mark.parametrize("house", [TWO_BY_TENANT], indirect=True)
def test_a_plan_file_does_not_say_what_is_committed(house: House, tmp_path: Path, capsys) -> None:
    """A plan of an uncommitted tree whose file says otherwise: no approval counts."""
    house.change(*ELSEWHERE)
    for name in ("ada", "bob"):
        assert main(["approve", "--yes", "--key", str(tmp_path / name)]) == 0
    house.git("add", "approvals")
    house.git("commit", "-q", "-m", "approved")
    saved = tmp_path / "plan.json"
    assert main(["plan", "--out", str(saved)]) == 0
    capsys.readouterr()

    assert main(["apply", "--yes", "--approvers", str(house.approvers), forged(saved, clean)]) == 3
    assert "isn't committed (import.yaml)" in capsys.readouterr().err
    assert house.table() == "warehouse/customers"


@pytest.mark.parametrize(
    "house",
    [demanding(CLOSED), {**CUSTOMERS, "policy.yaml": POLICY.replace("CHANGES", CLOSED)}],
    indirect=True,
    ids=["tenant", "policy"],
)
def test_windows_hold_and_a_reason_passes_over_them(house: House, capsys) -> None:
    """Outside the windows nothing changes (exit 5); with a reason it does, and the audit log has it."""
    house.change(*ELSEWHERE)
    house.commit("elsewhere")
    capsys.readouterr()

    assert main(["apply", "--yes"]) == 5
    assert "SYN692" in capsys.readouterr().err
    assert house.table() == "warehouse/customers"
    assert main(["apply", "--yes", "--override", "the disk is full"]) == 0

    assert house.table() == "warehouse/people"
    events = [
        e["unmapped"]["details"]
        for e in audit_events(house.settings)
        if e["metadata"]["event_code"] == "approval.override"
    ]
    assert [(e["reason"], e["codes"]) for e in events] == [("the disk is full", ["SYN692"])]
    assert "acme/Import/customers" in events[0]["objects"]


@pytest.mark.parametrize("house", [demanding(f"approvals: {{required: risky}}, {CLOSED}")], indirect=True)
def test_an_override_says_which_approvals_were_missing(house: House, capsys) -> None:
    """Outside the windows as well, a missing approval is what is told and noted; all is counted, for each tenant."""
    house.change(*ELSEWHERE)
    for number in range(60):
        text = house.texts["import.yaml"].replace("name: customers", f"name: more{number}", 1)
        house.texts[f"more{number}.yaml"] = text.replace("warehouse/people", f"warehouse/more{number}")
    write(house.root, house.texts)
    house.commit("elsewhere, and 60 more")
    capsys.readouterr()

    assert main(["apply", "--yes"]) == 3
    assert "SYN720" in capsys.readouterr().err
    assert main(["apply", "--yes", "--override", "the disk is full"]) == 0

    found = [e for e in audit_events(house.settings) if e["metadata"]["event_code"] == "approval.override"]
    details = [e["unmapped"]["details"] for e in found]
    assert [e["metadata"]["tenant_uid"] for e in found] == ["acme"]
    assert [(d["count"], len(d["objects"]), d["codes"]) for d in details] == [(61, 50, ["SYN692", "SYN720"])]
    assert details[0]["objects"][0] == "acme/Import/customers"
    assert details[0]["unapproved"][0] == "acme/Import/more0"
    assert details[0]["unapproved_count"] == 60


@pytest.mark.parametrize("house", [demanding(CLOSED)], indirect=True)
@pytest.mark.parametrize("reason", ["", " ", "\t"])
def test_an_override_has_a_reason(house: House, capsys, reason: str) -> None:
    """A blank one is none: usage, and nothing is applied."""
    house.change(*ELSEWHERE)
    house.commit("elsewhere")
    capsys.readouterr()

    assert main(["apply", "--yes", "--override", reason]) == 2
    assert "--override takes a reason" in capsys.readouterr().err
    assert house.table() == "warehouse/customers"


@pytest.mark.parametrize("house", [TWO_BY_POLICY], indirect=True)
def test_a_commit_does_not_loosen_what_it_is_judged_by(house: House, capsys) -> None:
    """The policy that is applied counts, also of a commit that takes it away."""
    (house.root / "policy.yaml").unlink()
    house.texts = {name: text for name, text in house.texts.items() if name != "policy.yaml"}
    house.change(*ELSEWHERE)
    house.commit("no policy, elsewhere")
    capsys.readouterr()

    assert main(["apply", "--yes"]) == 3
    assert "SYN720" in capsys.readouterr().err
    assert house.table() == "warehouse/customers"


def forged(plan: Path, edit: Callable[[dict[str, Any]], None]) -> str:
    """A plan file as somebody edited it, with the digest that it then has."""
    data = json.loads(plan.read_text())
    edit(data)
    for name in ("digest", "effects"):
        del data[name]
    text = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    path = plan.with_name("forged.json")
    path.write_text(json.dumps({**data, "digest": hashlib.sha256(text.encode()).hexdigest()}))
    return str(path)


def no_changes(data: dict[str, Any]) -> None:
    data["changes"] = []


def harmless(data: dict[str, Any]) -> None:
    for change in data["changes"]:
        change["effects"] = []


def another_table(data: dict[str, Any]) -> None:
    for step in data["steps"]:
        if step["step"] == "put":
            step["document"]["spec"]["to"] = "warehouse/elsewhere"


@pytest.mark.parametrize("house", [demanding(f"approvals: {{required: always}}, {CLOSED}")], indirect=True)
@pytest.mark.parametrize("edit", [no_changes, harmless, another_table])
def test_an_edited_plan_file_is_refused_whatever_its_digest_says(
    house: House, tmp_path: Path, capsys, edit: Callable[[dict[str, Any]], None]
) -> None:
    """Changes or effects left out, or another step: nothing of it is applied. The file as it was made waits as ever."""
    house.change(*ELSEWHERE)
    house.commit("elsewhere")
    saved = tmp_path / "plan.json"
    assert main(["plan", "--out", str(saved)]) == 0
    capsys.readouterr()

    assert main(["apply", "--yes", forged(saved, edit)]) == 1
    assert "SYN641" in capsys.readouterr().err
    assert house.table() == "warehouse/customers"
    assert main(["apply", "--yes", str(saved)]) == 3
    assert house.table() == "warehouse/customers"
    assert main(["apply", "--yes", "--override", "it is a test", str(saved)]) == 0
    assert house.table() == "warehouse/people"


@pytest.mark.parametrize("house", [CUSTOMERS], indirect=True)
def test_a_plan_file_of_another_commit_is_refused(house: House, tmp_path: Path, capsys) -> None:
    """A plan is of the tree that it is applied in: authors and approvals are those of that commit."""
    house.change(*ELSEWHERE)
    house.commit("elsewhere")
    saved = tmp_path / "plan.json"
    assert main(["plan", "--out", str(saved)]) == 0
    house.git("commit", "-q", "--allow-empty", "-m", "later")
    capsys.readouterr()

    assert main(["apply", "--yes", str(saved)]) == 1
    assert "SYN641" in capsys.readouterr().err
    assert house.table() == "warehouse/customers"
