"""The same import in staging and in production, and their outcomes side by side: two environments, each with its own state."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from syncline.cli.main import main
from tests import repository
from tests.e2e.house import Scenario

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENTS = """\
apiVersion: syncline/v1
kind: Environments
spec:
  variables: {database: {default: warehouse.db}}
  environments:
    staging: {values: {database: staging.db}}
    production: {}
"""
PATCH = """\
apiVersion: syncline/v1
kind: Mapping
metadata: {name: customer, tenant: acme}
spec: {fields: {name: {check: {pattern: "Ada.*"}}}}
"""
IMPORT = "Import/customers"


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


class House:
    """A repository of two environments; each verb is given the home of the one that it is for."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.monkeypatch = root, monkeypatch
        scenario = Scenario("upsert", kind="Import")
        texts = dict(scenario.texts) | {"environments.yaml": ENVIRONMENTS}
        texts["warehouse.yaml"] = texts["warehouse.yaml"].replace("warehouse.db", '"${database}"')
        texts["sync.yaml"] = texts["sync.yaml"].replace(
            "write: upsert", "write: upsert, guards: {maxRejects: 50%, control: {sums: {balance: '6.75'}}}"
        )
        repository.write(root, texts)
        self.data(
            "1,Ada,a@example.com,2.50,1990-01-01", "2,Bea,b@example.com,4.25,1990-01-02", "3,Eva,nowhere,1,1990-01-03"
        )

    def data(self, *lines: str, name: str = "customers.csv") -> None:
        (self.root / "data").mkdir(exist_ok=True)
        (self.root / "data" / name).write_text("\n".join(["id,name,email,balance,born", *lines]) + "\n")

    def patch(self, text: str = PATCH) -> None:
        (self.root / "environments" / "staging").mkdir(parents=True, exist_ok=True)
        (self.root / "environments" / "staging" / "customer.yaml").write_text(text)

    def __call__(self, environment: str, *args: object, actor: str = "tests") -> Ended:
        self.monkeypatch.setenv("SYNCLINE_HOME", f".{environment}")
        self.monkeypatch.setenv("SYNCLINE_ACTOR", actor)
        with CliRunner().isolation() as (out, err, _):
            code = main([str(arg) for arg in args])
            return Ended(code, out.getvalue().decode(), err.getvalue().decode())

    def run(self, environment: str) -> int:
        assert self(environment, "apply", "--yes", "--environment", environment).code == 0
        return self(environment, "run", IMPORT, "--environment", environment).code

    def rehearse(self, environment: str, *args: object) -> str:
        file = f"{environment}.json"
        self(environment, "rehearse", IMPORT, "--environment", environment, "-o", "json", "--out", file, *args)
        return file

    def compare(self, *args: object, actor: str = "tests") -> Ended:
        return self("staging", "runs", "compare", *args, actor=actor)


@pytest.fixture
def house(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("SYNCLINE_STATE", "SYNCLINE_ENVIRONMENT", "SYNCLINE_ROOT", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return House(tmp_path, monkeypatch)


OTHER = (IMPORT, "--other-home", ".production", "--exit-code")


def test_the_same_import_in_two_environments_is_the_same_outcome(house):
    """Exit code 0: records, rejects and control totals are equal, of one file by its digest; what differs by declaration is told."""
    assert house.run("staging") == house.run("production") == 4
    told = house.compare(*OTHER)
    assert told.code == 0, told.err
    assert "the same outcome" in told.out
    assert "STAGING" in told.out
    assert "1 file: the same in both, by SHA-256" in told.out
    assert "sum of balance" in told.out
    assert '"staging.db"' in told.out
    assert '"warehouse.db"' in told.out
    assert "not compared" not in told.out

    data = json.loads(house.compare(*OTHER, "-o", "json").out)
    assert (data["comparable"], data["equal"]) == (True, True)
    assert data["sums"] == [{"name": "balance", "one": "6.75", "other": "6.75"}]
    assert [pair["one"] for pair in data["manifests"]] == ["acme/Integration/warehouse"]
    assert "documents" not in data["one"]


def test_another_mapping_in_staging_is_another_outcome(house):
    """Exit code 10, the rule that made it and the field of the mapping that it comes from; without --exit-code, 0."""
    assert house.run("production") == 4
    house.patch(PATCH.replace("Ada.*", ".*a"))
    house.data(
        "1,Ada,a@example.com,2.50,1990-01-01", "2,Bea,b@example.com,4.25,1990-01-02", "3,Eva,nowhere,1,1990-01-03"
    )
    assert house.run("staging") == 4
    assert house.compare(*OTHER).code == 0  # another pattern that no record breaks
    house.patch(PATCH.replace("Ada.*", "(Ada|Bea)"))
    assert house.run("staging") == 4
    assert house.compare(*OTHER).code == 10
    told = house.compare(IMPORT, "--other-home", ".production")
    assert told.code == 0
    assert "the outcomes differ" in told.out
    assert "name: pattern        1           0          -1" in told.out
    assert 'spec.fields[name].check.pattern  "(Ada|Bea)"   none' in told.out


def test_other_files_can_t_be_compared(house):
    """Exit code 1, and the files are named by their digests, though all counts are the same."""
    house.run("staging")
    house.data(
        "1,Ada,a@example.com,2.5,1990-01-01", "2,Bea,b@example.com,4.25,1990-01-02", "3,Eva,nowhere,1,1990-01-03"
    )
    house.run("production")
    told = house.compare(*OTHER)
    assert told.code == 1
    assert "what they read differs: files have other digests" in told.out
    assert "customers.csv" in told.out


def test_a_run_that_a_guard_refused_is_the_outcome_of_staging(house):
    """The newest run counts, also one that failed: it is said why, with the rules that it broke, and the exit code is 1."""
    house.run("staging")
    house.run("production")
    house.patch()
    assert house.run("staging") == 3
    told = house.compare(*OTHER)
    assert told.code == 1
    assert "in staging failed: SYN701 2 of 3 records are rejected" in told.out
    assert "name: pattern" in told.out


def test_rehearsals_and_reports_in_files(house):
    """Quality by field is compared of two rehearsals, a sample isn't comparable, and a report stands for its run elsewhere."""
    staging, production = house.rehearse("staging"), house.rehearse("production")
    told = house.compare(staging, production, "--exit-code")
    assert told.code == 0, told.out + told.err
    assert "QUALITY" in told.out
    assert "the same in both, by SHA-256" in told.out

    house.patch()
    told = house.compare(house.rehearse("staging"), production, "--exit-code")
    assert told.code == 10
    assert "would be refused" in told.out

    assert "looked at a sample" not in told.out
    house.patch(PATCH.replace("Ada.*", ".*"))
    lines = [f"{n},Ada,a@example.com,{'6.75' if n == 1 else '0'},1990-01-01" for n in range(1, 20_001)]
    house.data(*lines)
    sample = house.rehearse("staging", "--sample", "10%")
    told = house.compare(sample, house.rehearse("production"), "--exit-code")
    assert told.code == 1
    assert "the rehearsal in staging looked at a sample: " in told.out

    assert house.run("staging") == house.run("production") == 0
    assert (
        house("production", "runs", "report", _newest(house, "production"), "-o", "json", "--out", "report.json").code
        == 0
    )
    told = house.compare(IMPORT, "report.json", "--exit-code", "-o", "json")
    assert told.code == 0, told.err
    assert json.loads(told.out)["other"]["environment"] == "production"
    assert house.compare("report.json", "production.json", "--exit-code").code == 0


def _newest(house, environment):
    return json.loads(house(environment, "runs", "list", IMPORT, "-o", "json").out)[0]["id"]


def test_who_has_no_role_there_sees_no_outcome(house):
    """The other state's roles decide as well: of a tenant where somebody has none there is no run, in either place."""
    house.run("staging")
    tenant = house.root / "tenant.yaml"
    tenant.write_text(
        tenant.read_text().replace("spec: {", "spec: {access: {roles: {viewer: [vera], admin: [tests]}}, ")
    )
    house.run("production")
    told = house.compare(*OTHER, actor="vera")
    assert told.code == 0
    assert "sum of balance" not in told.out  # in production she may not see values
    assert "the sums of balance: only one of them tells a control total" in told.out
    refused = house.compare(*OTHER, actor="mallory")
    assert refused.code == 1
    assert "SYN650" in refused.err
    assert "rejected" not in refused.out
    by_id = house.compare(_newest(house, "staging"), _newest(house, "production"), *OTHER[1:], actor="mallory")
    assert "SYN709" in by_id.err


def test_what_is_no_outcome(house):
    """A file of something else, a folder without state, a flow that never ran and a missing operand each say what to do."""
    house.run("staging")
    assert "SYN856" in house.compare(IMPORT, "environments.yaml").err
    assert "SYN857" in house.compare(IMPORT, "--other-home", "data").err
    assert house.compare(IMPORT).code == 2
    assert house("production", "apply", "--yes", "--environment", "production").code == 0
    assert "no run of acme/Import/customers has ended yet" in house.compare(*OTHER).err
    (house.root / "half.json").write_text('{"version": "syncline/report/v1", "run": "x"}')
    assert "SYN856" in house.compare(IMPORT, "half.json").err
