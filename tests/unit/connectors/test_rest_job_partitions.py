"""Jobs for partitions: of parents, of lists, of groups of parents; each has its own, at its own URL."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from syncline.model.errors import SynclineError
from tests.rest_streams import answer, read, rows
from tests.unit.connectors.exports import JOB, Exports, opened

CHILDREN = (
    JOB.replace("  items:\n", "  days:\n    key: [id]\n")
    + """
  items:
    for: {each: days, as: day}
    get: "/notes/{{ day.id }}"
    schema: {properties: {note: {type: integer}}}
"""
)


def test_a_job_of_a_parent_stream_is_gone_on_with():
    """From every position, the parents' job is the same one, and it is deleted after all that is read for its records."""

    class Noted(Exports):
        def __call__(self, request):
            if "/notes/" in request.url:
                self.log.append("note")
                return answer({"note": int(request.url.rpartition("/")[2])})
            return super().__call__(request)

    whole = rows(read(opened(Noted(), CHILDREN, batch_rows=1)))
    assert [row["note"] for row in whole] == [1, 2, 11, 12]
    total = len(read(opened(Noted(), CHILDREN, batch_rows=1)))
    for kept in range(1, total):
        api = Noted()
        reading = opened(api, CHILDREN, batch_rows=1)
        batches = list(itertools.islice(reading.read(None), kept))
        reading.close()
        position = json.loads(json.dumps(batches[-1].position))
        again = read(opened(api, CHILDREN, batch_rows=1), position)
        assert rows(batches) + rows(again) == whole
        assert api.log.count("POST /exports") == 1
        assert api.jobs == {}
        deletes = [at for at, what in enumerate(api.log) if what.startswith("DELETE")]
        assert "note" not in api.log[deletes[0] :]


EACH = """
streams:
  items:
    for: {in: [a, b, c], as: shop}
    records: data[]
    page: {cursor: {header: X-Next}, into: query.at}
    cursor: {field: n, type: integer, into: {body.from: start}}
    job:
      create: {post: "/shops/{{ shop }}/exports", body: {}}
      url: headers.location
      poll: {get: "{{ job.url }}", every: 1s, done: body.done}
      download: {get: "{{ job.url }}/rows"}
      delete: {delete: "{{ job.url }}"}
    schema: {properties: {n: {type: integer}}}
"""


@dataclass
class Shops:
    """An API with exports of shops, each of two pages; what is after the last one is `null`, as Salesforce has it."""

    location: str = "http://api.example/v1/exports/{}"
    jobs: dict[str, int] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def __call__(self, request):
        parts = urlsplit(request.url)
        self.log.append(f"{request.method} {parts.path}")
        if request.method == "POST":
            job = f"{parts.path.split('/')[2]}{len(self.log)}"
            self.jobs[job] = int(json.loads(request.body).get("from") or 0)
            return answer({"id": job}, status=202, location=self.location.format(job))
        job = parts.path.split("/")[3]
        if request.method == "DELETE":
            return answer(b"", status=204) if self.jobs.pop(job, None) is not None else answer({}, status=404)
        if parts.path.endswith("/rows"):
            at = 1 if "at=" in parts.query else 0
            first = "abc".index(job[0]) * 10 + 1
            return answer({"data": [{"n": first + at}]}, x_next="null" if at else "2")
        return answer({"done": True})


@pytest.mark.parametrize("incremental", [False, True])
def test_each_partition_has_a_job_that_is_gone_on_with(incremental):
    """From the position of any batch, the rest is read: no job is created twice, and all are deleted."""
    how = {"incremental": incremental, "batch_rows": 1}
    unbroken = Shops()
    found = read(opened(unbroken, EACH, **how))
    whole = rows(found)
    assert [(row["shop"], row["n"]) for row in whole] == [
        ("a", 1), ("a", 2), ("b", 11), ("b", 12), ("c", 21), ("c", 22),
    ]  # fmt: skip
    assert [entry for entry in unbroken.log if entry.startswith("POST")] == [
        f"POST /shops/{shop}/exports" for shop in "abc"
    ]
    for kept in range(1, len(found)):
        api = Shops()
        reading = opened(api, EACH, **how)
        batches = list(itertools.islice(reading.read(None), kept))
        reading.close()
        again = read(opened(api, EACH, **how), json.loads(json.dumps(batches[-1].position)))
        assert rows(batches) + rows(again) == whole
        assert sum(entry.startswith("POST") for entry in api.log) == 3
        assert api.jobs == {}
        assert (again[-1].position if again else batches[-1].position) == found[-1].position


def test_a_partition_has_its_own_cursor_in_its_job():
    """The next incremental read asks each job for what is past the cursor of its partition."""
    api = Shops()
    last = read(opened(api, EACH, incremental=True))[-1].position
    seen = []

    def second(request):
        if request.method == "POST":
            seen.append(json.loads(request.body)["from"])
        return api(request)

    assert rows(read(opened(second, EACH, incremental=True), last)) == []
    assert [str(bound) for bound in seen] == ["2", "12", "22"]


@pytest.mark.parametrize("location", ["/v1/exports/{}", "../../v1/exports/{}"])
def test_the_url_of_a_job_may_be_a_reference(location):
    """It counts from the URL that was asked, as links do."""
    assert len(rows(read(opened(Shops(location), EACH)))) == 6


@pytest.mark.parametrize(
    "location", ["http://evil.example/x/y/{}", "//evil.example/x/y/{}", "https://api.example/x/y/{}"]
)
def test_the_url_of_a_job_elsewhere_is_refused(location):
    """A job that is said to be at another origin is never asked for there."""
    api = Shops(location)
    with pytest.raises(SynclineError) as caught:
        read(opened(api, EACH))
    assert caught.value.code == "SYN406"
    assert [entry.split()[0] for entry in api.log] == ["POST"]


def test_an_answer_without_the_url_of_a_job_is_an_error():
    """What `url` finds has to be a text."""
    with pytest.raises(SynclineError) as caught:
        read(opened(Shops(), EACH.replace("headers.location", "body.nothing")))
    assert caught.value.code == "SYN422"


GROUPED = """
streams:
  shops: {get: /shops, records: "data[]", key: [id], schema: {properties: {id: {type: integer}}}}
  items:
    for: {each: shops, as: shop, group: 2}
    records: data[]
    cursor: {field: n, type: epoch, into: {body.from: start}}
    job:
      create: {post: /exports, body: {shops: "{{ shop.id }}"}}
      poll: {get: "/exports/{{ job.id }}", every: 1s, done: body.done}
      download: {get: "/exports/{{ job.id }}/rows"}
      delete: {delete: "/exports/{{ job.id }}"}
    schema: {properties: {shop: {type: integer}, n: {type: integer}}}
"""


@dataclass
class Grouped:
    """An API with exports of several shops at once, each with a row a shop, whose number is a hundred of it."""

    shops: list[int]
    jobs: dict[str, list[int]] = field(default_factory=dict)
    created: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request):
        path = urlsplit(request.url).path
        if path == "/shops":
            return answer({"data": [{"id": number} for number in self.shops]})
        if request.method == "POST":
            self.created.append(json.loads(request.body))
            self.jobs[f"j{len(self.created)}"] = self.created[-1]["shops"]
            return answer({"id": f"j{len(self.created)}"}, status=202)
        job = path.split("/")[2]
        if request.method == "DELETE":
            del self.jobs[job]
            return answer(b"", status=204)
        if path.endswith("/rows"):
            since = self.created[int(job[1:]) - 1].get("from", 0)
            rows_ = [{"shop": shop, "n": shop * 100} for shop in self.jobs[job] if shop * 100 >= int(since)]
            return answer({"data": rows_})
        return answer({"done": True})


def test_a_job_is_for_a_group_of_parents():
    """One job for so many parents' ids at once; the next read asks for what is past the group's cursor, new ones anew."""
    api = Grouped([1, 2, 3])
    first = read(opened(api, GROUPED, incremental=True))
    assert api.created == [{"shops": [1, 2]}, {"shops": [3]}]
    assert [row["n"] for row in rows(first)] == [100, 200, 300]
    assert api.jobs == {}
    api.shops.append(4)
    api.created.clear()
    second = read(opened(api, GROUPED, incremental=True), first[-1].position)
    assert api.created == [{"shops": [1, 2], "from": "200"}, {"shops": [3], "from": "300"}, {"shops": [4]}]
    assert [row["n"] for row in rows(second)] == [400]


def test_a_job_of_a_group_is_gone_on_with():
    """From the position of any batch the rest is read with the jobs that there are: no group has a second one."""
    whole = read(opened(Grouped([1, 2, 3, 4, 5]), GROUPED, incremental=True, batch_rows=1))
    for kept in range(1, len(whole)):
        api = Grouped([1, 2, 3, 4, 5])
        reading = opened(api, GROUPED, incremental=True, batch_rows=1)
        batches = list(itertools.islice(reading.read(None), kept))
        reading.close()
        again = read(opened(api, GROUPED, incremental=True, batch_rows=1), json.loads(json.dumps(batches[-1].position)))
        assert rows(batches) + rows(again) == rows(whole)
        assert [len(created["shops"]) for created in api.created] == [2, 2, 1]
        assert api.jobs == {}
