"""Our assessment results are OSCAL to a program of others: the models that Trestle makes of NIST's schema take them."""

from __future__ import annotations

import datetime as dt
import io
import subprocess
import zipfile
from typing import TYPE_CHECKING

import pytest

from syncline import workflow
from syncline.cli.output.compliance import render_compliance
from syncline.evidence.collect import Span
from syncline.evidence.frameworks import FRAMEWORKS
from syncline.executor.progress import Silent
from tests.e2e.house import FLOW, Scenario, build, customers
from tests.peers.install import python_environment

if TYPE_CHECKING:
    from pathlib import Path

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


@pytest.mark.parametrize("framework", [one.name for one in FRAMEWORKS])
def test_trestle_reads_our_assessment_results(trestle, tmp_path, framework):
    """Each framework's document is taken with every observation in it; with a member misspelt, it isn't."""
    customers(tmp_path, 20)
    settings = build(tmp_path, Scenario("upsert").texts)
    workflow.apply(settings)
    workflow.run(settings, FLOW, progress=Silent())
    today = dt.datetime.now(dt.UTC).date()
    pack = workflow.make_evidence(settings, framework, Span(today - dt.timedelta(days=1), today), render_compliance)
    with zipfile.ZipFile(io.BytesIO(pack.data)) as found:
        text = found.read("oscal/assessment-results.json").decode()
    path = tmp_path / "assessment-results.json"

    for written, good in ((text, True), (text.replace('"methods"', '"method"'), False)):
        path.write_text(written)
        done = subprocess.run([str(trestle), "-c", CHECK, str(path)], capture_output=True, text=True, check=False)
        assert (done.returncode == 0) is good, done.stderr[-800:]
        if good:
            assert int(done.stdout) == len(pack.report.shown)
