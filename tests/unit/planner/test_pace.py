"""What reading takes of an API, told before anything is read again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncline.model.key import ObjectKey
from syncline.planner.pace import Budget
from tests.repository import CUSTOMERS
from tests.unit.planner.states import applied, planned, said
from tests.unit.planner.test_effects import FROM_API

FLOW = ObjectKey("acme", "Import", "customers")
LIMITED = {
    **FROM_API,
    "files.yaml": FROM_API["files.yaml"]
    .replace("headers: {X-Site: eu}", "headers: {X-Site: eu}, limits: [{rate: 10/min}, {rate: 1/min, match: /search}]")
    .replace(
        "      key: [id]\n      schema",
        "      key: [id]\n      page: {next: next, size: {query.limit: 100}}\n      schema",
    ),
}
OTHER_KEY = CUSTOMERS["import.yaml"].replace("write: upsert", "write: upsert, key: [id, name]")


def after(base, counters, read=2500):
    """Effects of another key, which voids the position of a flow that read so many records."""
    state = replace(applied(base, read={FLOW: read}), counters={FLOW: counters})
    return said(planned({**base, "import.yaml": OTHER_KEY}, state), ["work-needed"])


def test_requests_come_from_the_size_of_a_page_and_minutes_from_the_limit():
    """2,500 records are 25 pages of 100; of 10 a minute, the last five are sent two minutes after the first."""
    assert after(LIMITED, {}) == [
        "acme/Import/customers: work-needed: reading these takes about 25 requests to crm, at most 10/min: 2 minutes"
    ]


def test_without_a_size_requests_come_from_recorded_runs():
    """Runs of a week took a request for 50 records, and half a second each."""
    assert after(FROM_API, {"read": 5000, "requests": 100, "seconds": 600}) == [
        "acme/Import/customers: work-needed: reading these takes about 50 requests to crm: 5 minutes"
    ]


def test_what_nothing_is_known_of_is_not_told():
    """Without the size of a page or recorded requests there is no figure, and none is made up."""
    assert after(FROM_API, {}) == []


@pytest.mark.parametrize(("requests", "seconds"), [(0, 0), (10, 0), (11, 60), (20, 60), (21, 120)])
def test_the_first_requests_of_a_limit_are_sent_at_once(requests, seconds):
    """Of ten a minute, the eleventh waits for a minute."""
    assert Budget("10/min", 10, 60.0).shortest(requests) == seconds


@pytest.mark.parametrize(
    ("path", "match", "counts"),
    [
        ("/customers of/ä", "/v1/customers%20of/%c3%a4", True),
        ("/customers%20of", "/v1/customers of", True),
        ("/customers", "/v1/customers", True),
        ("/customers", "/v1/other", False),
        ("/customers", "/customers", False),
    ],
)
def test_limits_count_paths_as_they_are_sent(path, match, counts):
    """A space and %20 are one, escapes have no case, and the path of the API's URL stands before it, as in a run."""
    text = LIMITED["files.yaml"].replace("{rate: 1/min, match: /search}", f"{{rate: 1/min, match: '{match}'}}")
    changed = text.replace("get: /customers", f"get: '{path}'")
    assert "match: /search" not in changed
    (said_,) = after({**LIMITED, "files.yaml": changed}, {})
    assert ("at most 1/min" in said_) is counts
