"""
Our assessment results are OSCAL to a program of others, and to NIST's schema.

The models that Trestle makes of the schema take them, and so does that schema itself, the release asset
`oscal_assessment-results_schema.json` of v1.1.3, where somebody names a copy:

    SYNCLINE_TEST_OSCAL_SCHEMA=FILE python -m pytest tests/peers/test_oscal.py

Neither Trestle's package nor this repository has the file. Done by hand on 2026-11-27 with that file (SHA-256 d9e34757…)
and with v1.2.1's: no finding in any framework's document.
"""

from __future__ import annotations

import copy
import datetime as dt
import io
import json
import os
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from syncline import workflow
from syncline.cli.output.compliance import render_compliance
from syncline.evidence.collect import Span
from syncline.evidence.frameworks import FRAMEWORKS
from syncline.executor.progress import Silent
from tests.e2e.house import FLOW, Scenario, build, customers
from tests.peers.install import python_environment

CHECK = """\
import json, sys
from trestle.oscal.assessment_results import AssessmentResults
found = AssessmentResults(**json.load(open(sys.argv[1]))["assessment-results"])
print(len(found.results[0].observations))
"""


@pytest.fixture(scope="module")
def trestle() -> Path:
    """A Python that has Trestle."""
    return python_environment("trestle", "compliance-trestle==5.2.0") / "python"


def results(folder: Path, framework: str) -> tuple[str, int]:
    """The document of a framework, about a repository with a run; and how many observations it has to have."""
    customers(folder, 20)
    settings = build(folder, Scenario("upsert").texts)
    workflow.apply(settings)
    workflow.run(settings, FLOW, progress=Silent())
    today = dt.datetime.now(dt.UTC).date()
    pack = workflow.make_evidence(settings, framework, Span(today - dt.timedelta(days=1), today), render_compliance)
    with zipfile.ZipFile(io.BytesIO(pack.data)) as found:
        return found.read("oscal/assessment-results.json").decode(), len(pack.report.shown)


@pytest.mark.parametrize("framework", [one.name for one in FRAMEWORKS])
def test_nists_schema_takes_our_assessment_results(tmp_path, framework):
    """Every member of a framework's document is one of the schema; with a member misspelt, or an ID that is none, it isn't."""
    named = os.environ.get("SYNCLINE_TEST_OSCAL_SCHEMA", "")
    if not named:
        pytest.skip("SYNCLINE_TEST_OSCAL_SCHEMA names no copy of NIST's oscal_assessment-results_schema.json")
    jsonschema = pytest.importorskip("jsonschema")
    # Python's regular expressions know no classes of Unicode.
    text = Path(named).read_text().replace(r"\\p{L}", r"[^\\W\\d_]").replace(r"\\p{N}", r"\\d")
    validator = jsonschema.Draft7Validator(json.loads(text), format_checker=jsonschema.FormatChecker())

    document: Any = json.loads(results(tmp_path, framework)[0])

    assert [f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(document)] == []
    misspelt = json.loads(json.dumps(document).replace('"methods"', '"method"'))
    wrong = copy.deepcopy(document)
    wrong["assessment-results"]["uuid"] = "x"
    assert all(list(validator.iter_errors(bad)) for bad in (misspelt, wrong))


@pytest.mark.parametrize("framework", [one.name for one in FRAMEWORKS])
def test_trestle_reads_our_assessment_results(trestle, tmp_path, framework):
    """Each framework's document is taken with every observation in it; with a member misspelt, it isn't."""
    text, shown = results(tmp_path, framework)
    path = tmp_path / "assessment-results.json"

    for written, good in ((text, True), (text.replace('"methods"', '"method"'), False)):
        path.write_text(written)
        done = subprocess.run([str(trestle), "-c", CHECK, str(path)], capture_output=True, text=True, check=False)
        assert (done.returncode == 0) is good, done.stderr[-800:]
        if good:
            assert int(done.stdout) == shown
