"""No command, request or log line shows one tenant what is another's: canaries in names, data, secrets and errors."""

from __future__ import annotations

import io
import tempfile
import threading
import zipfile
from collections.abc import Iterable
from pathlib import Path

from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from syncline import workflow
from syncline.cli.main import cli
from syncline.cli.names import find_object
from syncline.daemon.requests import RunRequests
from syncline.executor.progress import Silent
from syncline.model.errors import SynclineError
from syncline.model.key import ObjectKey
from syncline.settings import Settings
from tests.e2e import house
from tests.look import Look

#: Where a canary of a tenant is put.
PLACES = ("title", "reason", "column", "flow", "value", "reject", "secret", "variable", "file", "table", "kind")
PEOPLE = {"acme": "alice", "globex": "bob"}

MANIFESTS = """\
apiVersion: syncline/v1
kind: Tenant
metadata: {{name: {tenant}}}
spec:
  title: {title}
  egress: {{private: [127.0.0.1]}}
  access: {{roles: {{admin: [{person}, root]}}}}
  holds: [{{flows: [Sync/none], reason: {reason}, owner: legal}}]
---
apiVersion: syncline/v1
kind: Integration
metadata: {{name: crm, tenant: {tenant}}}
spec:
  connector: file@^1
  config: {{root: {tenant}}}
  streams: {{customers: {{files: "customers*.csv", key: [id]}}, missing: {{files: "{file}*.csv", key: [id]}}}}
---
apiVersion: syncline/v1
kind: AuthConfig
metadata: {{name: token, tenant: {tenant}}}
spec: {{type: bearer, token: {{secretRef: {{provider: env, key: {variable}}}}}}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {{name: api, tenant: {tenant}}}
spec: {{connector: service, auth: token, config: {{site: {tenant}}}}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {{name: warehouse, tenant: {tenant}}}
spec: {{connector: sqlite@^1, config: {{path: {tenant}/warehouse.db}}}}
---
apiVersion: syncline/v1
kind: Mapping
metadata: {{name: customer, tenant: {tenant}}}
spec:
  key: [id]
  subject: {{{kind}: {column}}}
  fields:
  - {{to: id, from: id, type: integer, required: true}}
  - {{to: {column}, from: name}}
  - {{to: balance, from: balance, type: "decimal(12,2)"}}
---
apiVersion: syncline/v1
kind: Sync
metadata: {{name: {flow}, tenant: {tenant}}}
spec: {{from: crm/customers, mapping: customer, to: warehouse/{table}, read: full, write: upsert}}
---
apiVersion: syncline/v1
kind: Sync
metadata: {{name: {flow}-missing, tenant: {tenant}}}
spec: {{from: crm/missing, mapping: customer, to: warehouse/{table}-2, read: full, write: upsert}}
---
apiVersion: syncline/v1
kind: Sync
metadata: {{name: {flow}-api, tenant: {tenant}}}
spec: {{from: api/things, mapping: customer, to: warehouse/{table}-3, read: full, write: upsert}}
---
apiVersion: syncline/v1
kind: Schedule
metadata: {{name: {flow}, tenant: {tenant}}}
spec: {{every: 1h, run: [Sync/{flow}]}}
"""

SERVICE = """\
apiVersion: syncline/v1
kind: Connector
metadata: {name: service}
spec:
  version: 1.0.0
  config: {properties: {site: {type: string}}, required: [site]}
  auth: [bearer]
  http: {url: "http://127.0.0.1:9", retry: {attempts: 1}}
  streams: {things: {get: "/{{ config.site }}", records: "[]", key: [id]}}
"""

words = st.text("bcdfghjklmnpqrstvwxz", min_size=9, max_size=12)
canaries = st.lists(words, min_size=2 * len(PLACES), max_size=2 * len(PLACES), unique=True).map(
    lambda found: {tenant: dict(zip(PLACES, found[n * len(PLACES) :], strict=False)) for n, tenant in enumerate(PEOPLE)}
)


def lived_in(root: Path, put: dict[str, dict[str, str]]) -> Settings:
    """Two tenants whose flows have run, well and badly; each person is the admin of one, and root of both."""
    texts = {"service.yaml": SERVICE}
    environ = {}
    for tenant, found in put.items():
        texts[f"{tenant}.yaml"] = MANIFESTS.format(tenant=tenant, person=PEOPLE[tenant], **found)
        environ[found["variable"]] = found["secret"]
        (root / tenant).mkdir(parents=True)
        rows = f'1,{found["value"]},1.00\n2,other,"{found["reject"]}"\n'
        (root / tenant / "customers.csv").write_text("id,name,balance\n" + rows)
    house.build(root, texts)
    made = house.settings_of(root, {"SYNCLINE_ACTOR": "root", **environ})
    workflow.apply(made)
    for applied in workflow.objects(made):
        if applied.key.kind == "Sync":
            try:
                workflow.run(made, applied.key, progress=Silent())
            except SynclineError:
                continue
    return made


def _find(text: str, keys: Iterable[ObjectKey], tenant: str) -> ObjectKey:
    return find_object(text, keys, kinds=("Sync", "Import"), tenant=tenant)


def commands(made: Settings, folder: Path, mine: str, other: str, theirs: dict[str, str]) -> list[list[str]]:
    """What one tenant's person may try, aimed at its own things, at everything, and at the other's by name."""
    runs = {tenant: [r.id for r in Look(made.state_url).runs(None, 50) if r.key.tenant == tenant] for tenant in PEOPLE}
    them = f"{other}/Sync/{theirs['flow']}"
    listed = [
        words
        for verb in (
            ["get"],
            ["status"],
            ["events"],
            ["runs", "list"],
            ["notifications", "list"],
            ["audit", "show", "--limit", "5000"],
            ["keys", "list"],
            ["auth", "status"],
            ["privacy", "list"],
            ["privacy", "suppressions"],
            ["privacy", "retain"],
            ["secrets", "list"],
            ["secrets", "check"],
            ["drift"],
            ["tenant", "statistics", "2020-01"],
            ["schedules"],
            ["tenant", "statistics"],
        )
        for words in (verb, [*verb, "-o", "json"])
    ]
    shown = [["runs", verb, run] for run in (*runs[mine], *runs[other]) for verb in ("show", "rejects", "report")]
    person = ["--subject", f"x={theirs['value']}"[:20]]
    return [
        *listed,
        *shown,
        ["get", them],
        ["explain", them],
        ["events", them],
        ["runs", "list", them],
        ["run", them],
        ["run", theirs["flow"][:-1]],
        ["run", "Sync/x"],
        ["runs", "retry", runs[other][0]],
        ["audit", "show", "--object", them],
        ["audit", "prove", "5"],
        ["audit", "export", "--out", str(folder / "audit.zip")],
        ["evidence", "export", "--framework", "gdpr", "--out", str(folder / "evidence.zip")],
        ["snapshot", "export", "--out", str(folder / "snapshot.json")],
        ["audit", "attest", runs[other][0]],
        ["privacy", "export", "--tenant", other, "--subject", f"x={theirs['value']}"[:20]],
        ["reveal", "--tenant", other, "x"],
        ["keys", "destroy", other, "--yes"],
        ["privacy", "erase", "--tenant", other, *person],
        ["privacy", "erase", "--tenant", other, *person, "--yes"],
        ["privacy", "list", "--tenant", other],
        ["privacy", "suppressions", "--tenant", other],
        ["privacy", "retain", "--tenant", other],
        ["privacy", "retain", them],
        ["tenant", "onboard", mine],
        ["tenant", "onboard", other],
        ["tenant", "certify", mine, "--out", str(folder / "certificate.json")],
        ["tenant", "certify", other],
        ["tenant", "offboard", other, "--from", "x"],
        ["tenant", "offboard", other, "--archive", str(folder / "archive.zip"), "--yes"],
        ["compare", them],
        ["compare", them, "-o", "json"],
        ["rehearse", them],
        ["run", them, "--dry-run"],
        ["runs", "undo", runs[other][0], "--yes"],
        ["connector", "check", f"{other}/Integration/crm"],
        ["connector", "sample", f"{other}/Integration/crm", "customers"],
        ["status", them],
        ["schedules", f"{other}/Schedule/{theirs['flow']}"],
        ["drift", them],
        ["drift", f"{other}/Integration/api", "--heal"],
        ["drift", "--tenant", other],
        ["drift", "--tenant", mine],
    ]


def texts_in(folder: Path) -> str:
    """Everything that commands wrote to files, archives unpacked."""
    found = []
    for path in folder.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        if zipfile.is_zipfile(io.BytesIO(data)):
            with zipfile.ZipFile(io.BytesIO(data)) as bundle:
                data = b"".join(bundle.read(name) for name in bundle.namelist())
        found.append(data.decode("utf-8", "replace"))
    return "\n".join(found)


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(canaries)
def test_no_command_shows_what_is_anothers(put):
    """Whatever one tenant's person types, no canary of the other is in what is printed, sent or written."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "house"
        made = lived_in(root, put)
        stop = threading.Event()
        with workflow.engine(made) as engine, RunRequests(made, _find, lambda _: None).taking(engine, stop):
            for mine, other in (("acme", "globex"), ("globex", "acme")):
                folder = Path(name) / mine
                folder.mkdir()
                environ = {**made.environ, "SYNCLINE_ACTOR": PEOPLE[mine]}
                for words in commands(made, folder, mine, other, put[other]):
                    typed = " ".join(words)
                    done = CliRunner(env=environ).invoke(cli, ["--root", str(root), *words])
                    assert "Traceback" not in done.output, (words, done.output)
                    leaks = [at for at, canary in put[other].items() if canary in done.output and canary not in typed]
                    assert not leaks, (words, leaks, done.output)
                    if words[0] in {"get", "runs"} and words[-1] != "json" and len(words) == 1:
                        assert put[mine]["flow"] in done.output, words
                own = ["--root", str(root), "run", f"Sync/{put[mine]['flow']}"]
                assert CliRunner(env=environ).invoke(cli, own).exit_code == 4, "its own flow runs, with a reject"
                written = texts_in(folder)
                assert not [at for at, canary in put[other].items() if canary in written]


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(canaries)
def test_a_tenant_that_is_asked_for_is_the_only_one_shown(put):
    """Who may see both, and asks for one with --tenant, sees nothing of the other; nor does a run tell of it."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "house"
        made = lived_in(root, put)
        environ = {**made.environ, "SYNCLINE_ACTOR": "root"}
        run = ["run", f"Sync/{put['acme']['flow']}", "--tenant", "acme"]
        for verb in (["get"], ["status"], ["events"], ["notifications", "list"], ["schedules"], ["drift"], run):
            words = verb if verb is run else [*verb, "--tenant", "acme"]
            done = CliRunner(env=environ).invoke(cli, ["--root", str(root), *words])
            assert done.exit_code != 2, done.output
            assert not [at for at, canary in put["globex"].items() if canary in done.output], (words, done.output)
        mine = Look(made.state_url)
        for record in mine.runs(None, 50):
            lines = "".join(f"{line.message} {line.details}" for line in mine.logs(record.id))
            told = f"{record.error} {record.receipt} {lines}"
            other = "globex" if record.key.tenant == "acme" else "acme"
            assert not [at for at, canary in put[other].items() if canary in told]
