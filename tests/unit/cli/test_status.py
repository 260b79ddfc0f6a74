"""`status`, `events` and `explain` of objects, as a shell sees them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import closing

from syncline.model.errors import Again, Stalled
from syncline.model.key import ObjectKey
from syncline.reconciler import status
from syncline.state.open import open_store
from tests import warm

WAREHOUSE = ObjectKey("acme", "Integration", "warehouse")


def broken(folder, error):
    """Notes that a look at the warehouse failed."""
    from syncline.executor.flows.applied import read_applied

    with closing(open_store(f"sqlite:///{folder}/.syncline/state.db")) as store:
        status.after_check(store, read_applied(store), WAREHOUSE, error)


def test_the_exit_code_says_what_is_needed(shell, repository):
    """0 where all is well, 5 where patience is enough, 1 where a person has to act: of what is shown only."""
    assert shell("status").out == "Nothing is applied yet.\n"
    assert shell("apply", "--yes").code == 0
    assert shell("status").code == 0
    broken(repository, Again("no answer"))
    assert shell("status").code == 5
    broken(repository, Stalled("refused", code="SYN402"))
    found = shell("status", "integrations", "--tenant", "acme", "--failing")
    assert found.code == 1
    assert "CheckFailed" in found.out
    assert "crm-export" not in found.out
    assert shell("status", "mappings").code == 0
    assert shell("status", "nonsense").code == 2

    (one,) = json.loads(shell("status", "integration", "--failing", "-o", "json").out)["objects"]
    ready = one["conditions"][0]
    assert (one["object"], one["ready"], one["attempts"]) == (str(WAREHOUSE), "False", 2)
    assert (ready["type"], ready["reason"], ready["message"]) == ("Ready", "CheckFailed", "[SYN402] refused")
    assert set(ready) == {"type", "status", "reason", "message", "observedRevision", "lastTransitionTime"}


def test_an_object_is_explained_down_to_the_cause(shell, repository):
    """The chain ends at what has a trouble of its own, with the remedy of its code and the next attempt."""
    shell("apply", "--yes")
    broken(repository, Stalled("refused", code="SYN402"))
    found = shell("explain", "Import/customers")

    assert found.code == 0
    lines = found.out.splitlines()
    assert lines[0].startswith("acme/Import/customers is not ready")
    assert lines[2].startswith("└ acme/Integration/warehouse is not ready")
    assert "next attempt of acme/Integration/warehouse" in found.out
    data = json.loads(shell("explain", "acme/Import/customers", "-o", "json").out)
    assert [(link["object"], link["depth"], link["cause"]) for link in data["chain"]] == [
        ("acme/Import/customers", 0, False),
        ("acme/Integration/warehouse", 1, True),
    ]
    assert shell("explain", "Sync").code == 0  # a kind is still a kind


def test_what_is_not_there_is_not_explained(shell, repository):
    """A wrong name is an error with a suggestion."""
    shell("apply", "--yes")
    found = shell("explain", "acme/Import/custmers")
    assert found.code == 1
    assert "did you mean acme/Import/customers?" in found.err


def test_events_are_listed_and_followed(shell, repository):
    """Newest last, of one object or all; `--follow` goes on with what happens until it is interrupted."""
    assert shell("events").out == "Nothing has happened yet.\n"
    shell("apply", "--yes")
    found = [json.loads(line) for line in shell("events", "-o", "json").out.splitlines()]
    assert found[0]["object"] == "Tenant/acme"
    assert [e["number"] for e in found] == sorted(e["number"] for e in found)
    assert len(shell("events", "acme/Import/customers").out.splitlines()) == 1
    assert len(shell("events", "--limit", "2").out.splitlines()) == 2

    command = [sys.executable, "-m", "syncline", "--root", str(repository), "events", "--follow", "-o", "json"]
    with warm.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        seen = [following.stdout.readline() for _ in found]
        broken(repository, Again("no answer"))
        seen.append(following.stdout.readline())
        following.send_signal(signal.SIGINT)
        assert following.wait(60) == 130
    assert [json.loads(line)["number"] for line in seen] == [*(e["number"] for e in found), found[-1]["number"] + 1]
    assert json.loads(seen[-1])["reason"] == "Unreachable"


def test_what_has_to_wait_is_told_and_exits_with_5(shell, repository):
    """An apply that leaves something out names it, and says by its exit code that trying again helps."""
    shell("apply", "--yes")
    (repository / "imports" / "customers.yaml").unlink()
    text = (repository / "mappings" / "customer.yaml").read_text()
    (repository / "mappings" / "more.yaml").write_text(text.replace("name: customer", "name: more"))
    url = f"sqlite:///{repository}/.syncline/state.db"
    with closing(open_store(url)) as store, store.lease("run/acme/Import/customers", "somebody"):
        found = shell("apply", "--yes", "-o", "json")
        assert found.code == 5
        assert "1 object had to wait:\n  acme/Import/customers: a run of" in found.err
        assert list(json.loads(found.out)["held"]) == ["acme/Import/customers"]
        assert shell("apply", "--yes").code == 5
    assert shell("apply", "--yes").code == 0
