"""Commands on a real repository, from `init` to a verified audit log. Nothing is replaced by a fake."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import zipfile
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.config import Config

from syncline.executor.correction import OWN
from syncline.planner.serialize import loads
from syncline.state import schema
from syncline.state.database import open_sqlite
from tests import warm

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def applied(repository, shell):
    """The example repository, applied."""
    assert shell("apply", "--yes").code == 0
    return repository


@pytest.fixture
def broken_rows(repository, shell):
    """Data of which two rows don't fit, and a guard that lets them be set aside."""
    manifest = repository / "imports" / "customers.yaml"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("5%", "50%"), encoding="utf-8")
    path = repository / "data" / "customers.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines += ["6,Eve,not-an-address,01.01.2020,A,1.00", '7,=cmd(),e@example.com,31.02.2020,A,"=1+1"']
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert shell("apply", "--yes").code == 0
    return repository


def test_init_validates(tmp_path, shell):
    """What `init` writes is valid, and says what comes next."""
    ended = shell("init", tmp_path / "new")

    assert ended.code == 0
    assert "syncline plan" in ended.err
    assert shell("validate", tmp_path / "new").out == "Valid: 6 objects in 6 files.\n"


def test_init_replaces_nothing(repository, shell):
    """`init` in a folder that has one of its files is refused, and changes nothing."""
    before = (repository / "README.md").read_text()

    assert shell("init").code == 1
    assert (repository / "README.md").read_text() == before


def test_validate_shows_every_finding(repository, shell):
    """Two mistakes in two files are two findings with places, and exit code 1."""
    for name in ("imports/customers.yaml", "mappings/customer.yaml"):
        path = repository / name
        path.write_text(path.read_text(encoding="utf-8").replace("spec:", "spek:"), encoding="utf-8")

    ended = shell("validate", "-o", "concise")

    assert ended.code == 1
    assert "imports/customers.yaml:5:1: error[SYN201]: unknown field 'spek' (did you mean spec?)" in ended.out
    assert "mappings/customer.yaml:5:1: error[SYN201]: unknown field 'spek' (did you mean spec?)" in ended.out


def test_validate_one_file(repository, shell):
    """Given a file, only its findings are shown, though everything is loaded."""
    path = repository / "imports" / "customers.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("mapping:", "mappin:"), encoding="utf-8")

    assert shell("validate", "mappings/customer.yaml").code == 0
    assert shell("validate", "imports/customers.yaml").code == 1


def test_validate_nothing(tmp_path, shell):
    """A folder without manifests is not valid: it is most likely the wrong one."""
    ended = shell("validate", tmp_path)

    assert (ended.code, ended.out) == (1, "No manifests found: nothing was checked.\n")


def test_policy_denies(repository, shell):
    """A flow of personal data out of its regions exits with 3 from validate and plan, and names both places."""
    path = repository / "integrations" / "warehouse.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("eu-west", "us-east"), encoding="utf-8")
    tenant = repository / "tenants" / "acme.yaml"
    tenant.write_text(tenant.read_text(encoding="utf-8").replace("  regions: [eu-*]\n", ""), encoding="utf-8")

    validated, planned = shell("validate"), shell("plan")

    assert (validated.code, planned.code) == (3, 3)
    for text in (validated.out, planned.err):
        assert "error[SYN501]" in text
        assert "--> mappings/customer.yaml:" in text
        assert "--> tenants/acme.yaml:" in text


@pytest.mark.parametrize("form", ["json", "sarif"])
def test_findings_are_json(repository, shell, form):
    """Machine formats are JSON on standard output, with nothing beside it."""
    ended = shell("validate", "-o", form)

    assert json.loads(ended.out)["version"] in {"syncline/findings/v1", "2.1.0"}
    assert ended.err == ""


def test_paths_are_of_the_current_folder(repository, shell, monkeypatch):
    """Files are named from where the command runs, so that an editor can open them."""
    path = repository / "imports" / "customers.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("mapping:", "mappin:"), encoding="utf-8")
    monkeypatch.chdir(repository.parent)

    assert shell("validate", "config", "-o", "concise").out.startswith("config/imports/customers.yaml:")
    assert "  mappin: customer\n" in shell("validate", "config").out


def test_plan_and_saved_plan(repository, shell, tmp_path):
    """A plan says what would change; the saved one is the same, and applying it leaves nothing to do."""
    out = tmp_path / "plan.json"
    planned = shell("plan", "--out", out, "--exit-code")

    assert planned.code == 10
    assert "Plan: 6 to create." in planned.out
    assert len(loads(out.read_text(encoding="utf-8")).changes) == 6
    assert shell("apply", out, "--yes").out.startswith("Applied 6 steps")
    again = shell("plan", "--exit-code")
    assert again.code == 0
    assert "Nothing to do" in again.out


def test_a_source_that_does_not_fit_is_told_without_a_place(applied, shell):
    """A file whose columns are others than the mapping reads: each is named, of the object, and of no file that isn't."""
    (applied / "data" / "customers.csv").write_text("customer_no;full_name\n1;Ada\n", encoding="utf-8")
    ended = shell("run", "Import/customers")

    assert ended.code == 1
    assert " --> in acme/Mapping/customer\n" in ended.err
    assert "It has customer_no;full_name." in ended.err


def test_stale_plan_is_refused(repository, shell, tmp_path):
    """A saved plan is refused once the state has moved."""
    out = tmp_path / "plan.json"
    shell("plan", "--out", out)
    shell("apply", "--yes")

    ended = shell("apply", out, "--yes")

    assert ended.code == 1
    assert "error[SYN641]" in ended.err


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"version": "syncline/plan/v0"}', "\x00\xff"])
def test_not_a_plan(repository, shell, tmp_path, content):
    """A file that is no plan is a mistake, not a defect."""
    path = tmp_path / "plan.json"
    path.write_text(content, encoding="utf-8")

    ended = shell("apply", path, "--yes")

    assert ended.code == 1
    assert "error[SYN640]" in ended.err


def test_apply_asks(repository, shell):
    """Where nobody can be asked, apply needs --yes and changes nothing without."""
    ended = shell("apply")

    assert ended.code == 2
    assert "--yes" in ended.err
    assert "There is nothing applied" in shell("get").out


def test_plan_as_json_and_markdown(repository, shell):
    """The plan is versioned JSON or Markdown on standard output."""
    assert json.loads(shell("plan", "-o", "json").out)["version"] == "syncline/plan/v1"
    assert shell("plan", "-o", "markdown").out.startswith("### Syncline plan: 6 to create\n")


def test_apply_as_json(repository, shell):
    """`apply -o json` writes only its result to standard output."""
    done = json.loads(shell("apply", "--yes", "-o", "json").out)

    assert (done["version"], done["steps"], done["serial"]) == ("syncline/applied/v1", 6, done["serial"])


def test_run_and_receipt(applied, shell):
    """A run writes its receipt; as JSON it is the only thing on standard output, and its records add up."""
    ended = shell("run", "Import/customers", "-o", "json")
    receipt = json.loads(ended.out)

    assert ended.code == 0
    assert receipt["counts"]["read"] == receipt["counts"]["written"] == 5
    assert "acme/Import/customers: loading" in ended.err
    assert receipt["run"] in shell("runs", "list").out
    assert receipt["run"] in shell("runs", "show", receipt["run"]).out


def test_rejects(broken_rows, shell, tmp_path):
    """Records that don't fit give exit code 4, and are listed and exported with their reasons."""
    ended = shell("run", "customers")
    run = json.loads(shell("runs", "list", "-o", "json").out)[0]["id"]
    out = tmp_path / "rejects.csv"

    assert ended.code == 4
    assert "Finished with rejects" in ended.out
    assert f"syncline runs rejects {run}" in ended.out
    assert "not-an-address" in shell("runs", "rejects", run).out
    assert shell("runs", "rejects", run, "-o", "csv", "--out", out).code == 0
    assert out.stat().st_mode & 0o077 == 0
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    assert len(rows) == 2
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "@"))]
    lines = shell("runs", "rejects", run, "-o", "json").out.splitlines()
    assert {json.loads(line)["field"] for line in lines} == {row["field"] for row in rows}


def test_a_report_is_one_page_that_needs_nothing_else(broken_rows, shell, tmp_path):
    """It has figures and reasons, no value of a record unless asked for, no script and nothing from elsewhere."""
    shell("run", "customers")
    run = json.loads(shell("runs", "list", "-o", "json").out)[0]["id"]
    file = tmp_path / "report.html"
    assert shell("runs", "report", run, "--out", file).code == 0
    page = file.read_text(encoding="utf-8")
    assert "acme/Import/customers" in page
    assert "not-an-address" not in page
    assert "aaa-aa-aaaaaaa" in page
    assert not re.search(r"<script|https?://|src=|@import|url\(", page)
    assert "not-an-address" in shell("runs", "report", run, "--values").out
    data = json.loads(shell("runs", "report", run, "-o", "json").out)
    assert data["rejects"]["count"] == data["counts"]["rejected"] == 2
    assert "reject.read" in shell("audit", "show").out


def test_a_run_that_was_refused_tells_all_that_it_kept_and_to_run_again(broken_rows, shell, tmp_path):
    """It committed nothing, so its counts are none; its rejects are counted all the same, and retrying isn't proposed."""
    manifest = broken_rows / "imports" / "customers.yaml"
    manifest.write_text(manifest.read_text().replace("50%", "1, control: {records: 1}"))
    assert shell("apply", "--yes").code == 0
    ended = shell("run", "Import/customers")
    assert ended.code == 3
    assert "SYN701" in ended.err
    run = json.loads(shell("runs", "list", "-o", "json").out)[0]["id"]
    assert shell("runs", "rejects", run, "--limit", "1").out.startswith("2 rejects of run")
    page = shell("runs", "report", run).out
    assert '<b>2</b>rejected <span class="soft">of what it looked at</span>' in page
    assert "syncline run acme/Import/customers" in page
    assert "syncline runs retry" not in page


def test_corrected_rejects_are_retried(broken_rows, shell, tmp_path):
    """Corrected in a CSV and fed back they are written; the audit log has the digest of the file."""
    shell("run", "customers")
    run = json.loads(shell("runs", "list", "-o", "json").out)[0]["id"]
    file = tmp_path / "fix.csv"
    assert shell("runs", "rejects", run, "-o", "correction", "--out", file).code == 0
    assert file.stat().st_mode & 0o077 == 0
    file.write_text(file.read_text(encoding="utf-8").replace("not-an-address", "ada@example.com"), encoding="utf-8")
    ended = shell("runs", "retry", run, "--corrected", file, "-o", "json")

    receipt = json.loads(ended.out)
    assert (ended.code, receipt["counts"]["read"], receipt["counts"]["written"]) == (4, 2, 1)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert digest in shell("audit", "show", "--action", "run.start", "-o", "json").out
    assert shell("runs", "retry", run, "--corrected", file).code == 1


def test_corrections_that_cannot_be_read_are_shown_with_their_place(broken_rows, shell, tmp_path):
    """A mistake in the file is a finding with a line, and nothing is retried."""
    shell("run", "customers")
    run = json.loads(shell("runs", "list", "-o", "json").out)[0]["id"]
    file = tmp_path / "fix.csv"
    file.write_text(",".join([*OWN, "nam"]) + "\n1,,,,,,Ada\n", encoding="utf-8")
    ended = shell("runs", "retry", run, "--corrected", file)
    assert ended.code == 1
    assert "SYN713" in ended.err
    assert "fix.csv:1:7" in ended.err
    assert [r["trigger"] for r in json.loads(shell("runs", "list", "-o", "json").out)] == ["retry", "manual"]


def test_dry_run_writes_nothing(broken_rows, shell):
    """A dry run shows rows and rejects, and leaves neither a run nor a table behind."""
    ended = shell("run", "customers", "--dry-run")

    assert ended.code == 4
    assert "Ada Lovelace" in ended.out
    assert "not-an-address" in ended.out
    assert shell("runs", "list").out == "No runs yet.\n"
    assert not list((broken_rows / "warehouse").glob("*"))


def test_unknown_run(applied, shell):
    """An id that no run has is a mistake with a help."""
    ended = shell("runs", "show", "nothing")

    assert ended.code == 1
    assert "error[SYN709]" in ended.err


def test_get(applied, shell):
    """Applied and declared objects are listed, by kind in any spelling, and as JSON."""
    assert "acme/Import/customers" in shell("get", "imports").out
    assert "Tenant/acme" not in shell("get", "imports").out
    assert [row["object"] for row in json.loads(shell("get", "tenant", "--declared", "-o", "json").out)] == [
        "Tenant/acme"
    ]
    assert shell("get", "imprts").code == 2


def test_audit(applied, shell, tmp_path):
    """The log is shown, verified, proven and exported; the exported bundle verifies without Syncline."""
    shown = shell("audit", "show", "--action", "apply.step", "-o", "json").out.splitlines()
    verified = shell("audit", "verify")
    out = tmp_path / "evidence.zip"

    assert len(shown) == 6
    assert verified.code == 0
    assert verified.out.startswith("Verified: ")
    assert shell("audit", "prove", "3").out.startswith("c2sp.org/tlog-proof@v1\n")
    assert shell("audit", "prove", "999").code == 1
    assert shell("audit", "export", "--out", out, "--prove", "3").code == 0
    with zipfile.ZipFile(out) as bundle:
        bundle.extractall(tmp_path / "evidence")
    done = subprocess.run(
        [sys.executable, "verify.py"],
        cwd=tmp_path / "evidence",
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "audit.export" in shell("audit", "show").out


def test_audit_names_the_first_bad_entry(applied, shell):
    """After a flipped byte, verification fails and names the entry."""
    bundle = next((applied / ".syncline" / "audit" / "tile" / "entries").glob("*.p/*"))
    data = bytearray(bundle.read_bytes())
    data[-3] ^= 1
    bundle.chmod(0o600)
    bundle.write_bytes(data)

    ended = shell("audit", "verify")

    assert ended.code == 1
    assert "is the first that is not what was signed" in ended.out


def test_audit_without_a_log(repository, shell):
    """Before the first apply there is no log, which is said plainly."""
    ended = shell("audit", "show")

    assert ended.code == 1
    assert "there is no audit log" in ended.err


def test_fmt(repository, shell):
    """`fmt --check` names what would change and changes nothing; `fmt` changes it once."""
    path = repository / "imports" / "customers.yaml"
    path.write_text(
        path.read_text(encoding="utf-8")
        .replace("  mapping:   customer", "")
        .replace("  write: upsert", "  write:    upsert"),
        encoding="utf-8",
    )
    before = path.read_text(encoding="utf-8")

    assert shell("fmt", "--check").code == 1
    assert path.read_text(encoding="utf-8") == before
    assert shell("fmt").code == 0
    assert shell("fmt", "--check").code == 0
    assert "  write: upsert\n" in path.read_text(encoding="utf-8")


def test_schema(repository, shell, tmp_path):
    """The schema is exported for one kind, for all, and into a folder; modelines are added once."""
    assert json.loads(shell("schema", "export", "--kind", "Sync").out)["title"] == "Syncline Sync"
    assert shell("schema", "export", "-o", tmp_path / "schemas").code == 0
    assert {p.name for p in (tmp_path / "schemas").iterdir()} >= {"syncline.schema.json", "sync.schema.json"}
    path = repository / "imports" / "customers.yaml"
    path.write_text(path.read_text(encoding="utf-8").partition("\n")[2], encoding="utf-8")
    assert shell("schema", "modeline").code == 1
    assert shell("schema", "modeline", "--write").code == 0
    assert shell("schema", "modeline").code == 0
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=../.vscode/")


@pytest.mark.parametrize("topic", ["SYN501", "syn501", "Sync", "sync.guards.maxRejects", "Mapping.fields.protect"])
def test_explain(shell, topic):
    """Codes, kinds and fields are explained."""
    ended = shell("explain", topic)

    assert (ended.code, ended.err) == (0, "")
    assert len(ended.out.splitlines()) > 1


@pytest.mark.parametrize("topic", ["SYN000", "Snyc", "Sync.nothing"])
def test_explain_unknown(shell, topic):
    """What there isn't is a mistake with a suggestion."""
    assert shell("explain", topic).code == 1


def test_apply_on_a_terminal(repository, shell):
    """On a terminal apply shows the plan and asks; no answer but yes changes anything."""
    refused, agreed = on_terminal(repository, "apply", answer="n"), on_terminal(repository, "apply", answer="y")

    assert refused[0] == 1
    assert "6 to create." in refused[1]
    assert "Nothing was changed." in refused[1]
    assert agreed[0] == 0
    assert "Applied" in agreed[1]
    assert "\x1b[" in agreed[1]


def on_terminal(folder: Path, *args: str, answer: str) -> tuple[int, str]:
    """Runs a command on a terminal of its own, answers its question, and gives the exit code and what was shown."""
    leader, follower = pty.openpty()
    process = warm.Popen(
        [sys.executable, "-m", "syncline.cli.main", *args],
        cwd=folder,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"TERM": "xterm"},
    )
    os.close(follower)
    os.write(leader, f"{answer}\n".encode())
    shown = b""
    with suppress(OSError):  # Linux answers EIO when the other side has closed
        while part := os.read(leader, 65_536):
            shown += part
    os.close(leader)
    return process.wait(timeout=300), shown.decode()


def test_doctor(applied, shell):
    """`doctor` finds nothing wrong with a repository that was just applied; its JSON has the same findings."""
    ended = shell("doctor")

    assert ended.code == 0, ended.out
    assert "✓ state" in ended.out
    assert {finding["ok"] for finding in json.loads(shell("doctor", "-o", "json").out)} <= {True, None}


@pytest.mark.parametrize(
    ("form", "starts"),
    [("text", "crm-export/customers in eu-west → "), ("mermaid", "flowchart LR\n"), ("svg", "<svg ")],
)
def test_lineage(repository, shell, form, starts):
    """The lineage of a declared flow is drawn in each form, with the class of what is personal."""
    ended = shell("lineage", "customers", "-o", form)

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(starts)
    assert "pii.email" in ended.out


@pytest.mark.slow
def test_sigterm_stops_a_run_that_then_resumes(repository, shell):
    """SIGTERM in the middle of a run exits with 143 and says that it resumes; the next run ends with every record."""
    rows = 1_000_000  # more than can be loaded before the signal comes, on a busy machine too
    with (repository / "data" / "customers.csv").open("w", encoding="utf-8") as file:
        file.write("customer_no,full_name,email,created,plan,balance\n")
        file.writelines(f"{n},Name {n},a{n}@example.com,10.12.2023,C,12.50\n" for n in range(rows))
    shell("apply", "--yes")
    with warm.Popen(
        [sys.executable, "-m", "syncline.cli.main", "run", "customers"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.endswith(": loading\n"):
                process.send_signal(signal.SIGTERM)
                break
        said = process.stderr.read()

    assert process.returncode == 143
    assert "Terminated. Nothing is half-written" in said
    assert "Interrupted" in shell("runs", "list").out
    receipt = json.loads(shell("run", "customers", "-o", "json").out)
    assert (receipt["state"], receipt["counts"]["read"], receipt["counts"]["written"]) == ("Succeeded", rows, rows)


def test_refused_plan_is_told_in_its_format(repository, shell):
    """Where there is no plan, the reason is on standard output in the format that was asked for."""
    path = repository / "imports" / "customers.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("mapping:", "mappin:"), encoding="utf-8")

    marked, plain = shell("plan", "-o", "markdown"), shell("plan", "-o", "json")

    assert (marked.code, plain.code) == (1, 1)
    assert marked.out.startswith("### ⛔ Syncline can't plan: ")
    assert json.loads(plain.out)["version"] == "syncline/findings/v1"


def test_apply_brings_a_state_of_an_older_version_up_to_date(repository, shell, monkeypatch):
    """Whatever only reads says that apply does it, and it does, once."""
    monkeypatch.setattr(schema, "_upgrade", getattr(schema._upgrade, "upgrade", schema._upgrade))
    home = repository / ".syncline"
    home.mkdir(mode=0o700)
    config = Config()
    config.set_main_option("script_location", str(schema.SCRIPTS))
    config.set_main_option("path_separator", "os")
    with closing(open_sqlite(home / "state.db")) as database, database.write(durable=True) as connection:
        config.attributes |= {"connection": connection, "schema": None}
        command.upgrade(config, schema.REVISIONS[-2])
    for words in (("plan",), ("status",)):
        assert "SYN613" in shell(*words).err
    ended = shell("apply", "--yes")
    assert (ended.code, "is up to date now" in ended.err) == (0, True)
    assert "is up to date now" not in shell("apply", "--yes").err
