"""How objects stand, with a daemon at work: what fails is told and tried again, and what is healthy isn't kept waiting."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from syncline.model.condition import ConditionType
from syncline.model.key import ObjectKey
from tests import warm
from tests.e2e.daemon import home, runs, serving, until
from tests.e2e.house import FLOW, Scenario, settings_of
from tests.look import Look

if TYPE_CHECKING:
    from pathlib import Path

SCHEDULE = """\
apiVersion: syncline/v1
kind: Schedule
metadata: {name: often, tenant: acme}
spec: {every: 1s, run: [Sync/customers]}
"""
#: A second destination: its password is in a file that isn't there, and nobody listens at its port.
LAKE = """\
apiVersion: syncline/v1
kind: AuthConfig
metadata: {name: lake, tenant: acme}
spec: {type: basic, username: lake, password: {secretRef: {provider: file, key: lake.password}}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: lake, tenant: acme}
spec:
  connector: postgresql@^1
  auth: lake
  config: {url: "postgresql://127.0.0.1:1/lake", schema: public}
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: lake, tenant: acme}
spec: {from: crm/customers, mapping: customer, to: lake/customers, read: full, write: upsert}
"""
TEXTS = {**Scenario("upsert").texts, "schedule.yaml": SCHEDULE, "lake.yaml": LAKE}


@pytest.fixture
def root(tmp_path) -> Path:
    """The daemon's own folder, with the data that its flows read."""
    return home(tmp_path, 20)


def asked(root: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output of a command in the daemon's folder."""
    done = warm.run(
        [sys.executable, "-m", "syncline", "--root", str(root), *arguments],
        env={**os.environ, "NO_COLOR": "1"}, check=False, capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode, done.stdout


def reasons(root: Path) -> dict[str, str]:
    """Why each object isn't ready, of those that aren't."""
    found = Look(settings_of(root).state_url).statuses()
    return {str(key): c.reason for key, s in found.items() if s.failing and (c := s.condition(ConditionType.ready))}


@pytest.mark.slow
def test_what_fails_waits_and_recovers_by_itself_while_the_rest_goes_on(root, remote):
    """A missing secret and a system out of reach are found in turn; healthy flows run; repairs are noticed unasked."""
    commit = remote.push(TEXTS)
    waits = {"acme/Integration/lake": "DependencyNotReady", "acme/Sync/lake": "DependencyNotReady"}
    with serving(root, remote) as daemon:
        daemon.says(f"{commit[:12]} is applied")
        assert reasons(root) == {"acme/AuthConfig/lake": "SecretMissing", **waits}
        until(lambda: runs(root) >= 2, lambda: "\n".join(daemon.said))

        code, text = asked(root, "status", "-o", "json")
        found: dict[str, Any] = {o["object"]: o for o in json.loads(text)["objects"]}
        assert code == 1  # a person has to put the secret in place
        assert found["acme/Sync/customers"]["ready"] == "True"
        assert found["acme/AuthConfig/lake"]["nextAttempt"]
        assert asked(root, "status", "mappings")[0] == 0
        text = asked(root, "explain", "Sync/lake")[1]
        assert text.index("acme/Integration/lake") < text.index("acme/AuthConfig/lake is not ready")
        assert "← the cause" in text
        assert "next attempt of acme/AuthConfig/lake" in text

        secret = root / "lake.password"
        secret.touch(mode=0o600)
        secret.write_text("secret")
        until(lambda: reasons(root) == {"acme/Integration/lake": "Unreachable", "acme/Sync/lake": "DependencyNotReady"},
              lambda: str(reasons(root)))  # fmt: skip
        assert asked(root, "status")[0] == 5  # nothing but patience is needed

        fixed = remote.push({**TEXTS, "lake.yaml": LAKE.replace("postgresql@^1", "sqlite@^1").replace("  auth: lake\n", "")
                             .replace('{url: "postgresql://127.0.0.1:1/lake", schema: public}', "{path: lake.db}")})  # fmt: skip
        daemon.says(f"{fixed[:12]} is applied")
        until(lambda: not reasons(root), lambda: str(reasons(root)))

    assert asked(root, "status")[0] == 0
    applied = Look(settings_of(root).state_url).history()
    assert [(r.revision, r.author.name) for r in applied] == [(c, "a <a@example.com>") for c in (fixed, commit)]
    told = [event.reason for event in Look(settings_of(root).state_url).events(ObjectKey("acme", "AuthConfig", "lake"))]
    assert told == ["Applied", "SecretMissing", "Ready"]


@pytest.mark.slow
def test_a_flow_that_runs_holds_back_its_own_change_only(root, remote):
    """While a flow runs, the commit that retires it is applied but for that; it is applied when the run has ended."""
    texts = {name: text for name, text in TEXTS.items() if name not in {"schedule.yaml", "lake.yaml"}}
    first = remote.push(texts)
    url = settings_of(root).state_url
    with serving(root, remote) as daemon:
        daemon.says(f"{first[:12]} is applied")
        holder = [sys.executable, "-c", HOLDS, url, f"run/{FLOW}"]
        with warm.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            rest = {name: text for name, text in texts.items() if name != "sync.yaml"}
            unused = rest["mapping.yaml"].replace("{name: customer,", "{name: unused,")
            second = remote.push({**rest, "unused.yaml": unused})
            daemon.says(f"{second[:12]} is applied but for {FLOW}")
            unused_key = ObjectKey("acme", "Mapping", "unused")
            until(lambda: Look(url).object(unused_key))
            assert reasons(root) == {"Source/main": "PartlyApplied", str(FLOW): "Waiting"}
            assert Look(url).object(FLOW) is not None
            daemon.process.kill()
            daemon.process.wait()
            with serving(root, remote) as other:  # the one that takes over goes on with what was left
                other.says(f"{second[:12]} is applied but for {FLOW}")
                process.communicate()
                other.says(f"{second[:12]} is applied: ")

    assert Look(url).object(FLOW) is None
    assert reasons(root) == {}


@pytest.mark.slow
def test_a_refused_commit_is_the_sources_trouble(root, remote):
    """A commit that isn't valid changes nothing but the status of the source, which says why until one is good."""
    remote.push(TEXTS)
    with serving(root, remote) as daemon:
        daemon.says("is applied")
        bad = remote.push({**TEXTS, "schedule.yaml": SCHEDULE.replace("Sync/customers", "Sync/custamers")})
        daemon.says(f"{bad[:12]} isn't applied")
        until(lambda: "Source/main" in reasons(root))
        assert "[SYN2" in asked(root, "status")[1].splitlines()[0]
        remote.push(TEXTS | {"schedule.yaml": SCHEDULE.replace("1s", "2s")})
        until(lambda: "Source/main" not in reasons(root))


HOLDS = """\
import sys
from syncline.state.open import open_store
with open_store(sys.argv[1]).lease(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""
