"""Trials of jobs: of what is read nothing is kept, and no job stays or is taken from a run."""

from __future__ import annotations

from urllib.parse import urlsplit

from tests.rest_streams import FakeClock, FunctionTransport, answer, instance, rows, source
from tests.unit.connectors.exports import Exports, opened


def test_a_trial_reads_the_job_of_a_position_and_leaves_it_there():
    """A job that a kept position knows is a run's: a trial reads its records and doesn't delete it."""
    api = Exports()
    position = next(iter(opened(api).read(None))).position
    assert position["job"]["id"] == "j1"
    api.log.clear()
    tried = opened(api, trial=True)
    assert [row["id"] for row in rows(list(tried.read(position)))] == [1, 2, 11, 12]
    tried.close()
    assert "j1" in api.jobs
    assert not [line for line in api.log if line.startswith(("POST", "DELETE"))]


def test_a_trial_leaves_what_a_run_is_to_delete():
    """A job whose records are kept is deleted by the run that knows of it, not by a trial from its position."""
    api = Exports()
    api.jobs["j9"] = 0
    tried = opened(api, trial=True)
    assert rows(list(tried.read({"v": 1, "done": True, "delete": {"id": "j9"}}))) == []
    tried.close()
    assert api.log == []


def test_a_trial_that_is_left_early_deletes_its_job():
    """Whoever looks at some records only closes the source, which deletes the job."""
    api = Exports()
    tried = opened(api, trial=True)
    next(iter(tried.read(None)))
    assert list(api.jobs) == ["j1"]
    tried.close()
    assert api.jobs == {}


NUMBERED = """
streams:
  items:
    for: {in: [a, b], as: shop}
    records: data[]
    job:
      create: {post: "/{{ shop }}/exports"}
      poll: {get: "/{{ shop }}/exports/{{ job.id }}", every: 1s, done: body.done}
      download: {get: "/{{ shop }}/exports/{{ job.id }}/rows"}
      delete: {delete: "/{{ shop }}/exports/{{ job.id }}"}
    schema: {properties: {n: {type: integer}}}
"""


def test_a_trial_tells_of_each_job_that_stays_where_parents_number_theirs():
    """Two shops each have a job 1: both are tried to be deleted again at the end, and both are told of."""
    deleted: list[str] = []

    def api(request):
        path = urlsplit(request.url).path
        if request.method == "DELETE":
            deleted.append(path)
            return answer({"error": "not allowed"}, status=403)
        if request.method == "POST":
            return answer({"id": "1"}, status=202)
        return answer({"data": [{"n": 1}]} if path.endswith("/rows") else {"done": True})

    told: list[str] = []
    made = instance(NUMBERED, notice=told.append)
    tried = source(made, transport=FunctionTransport(api), clock=FakeClock(), trial=True)
    assert len(rows(list(tried.read(None)))) == 2
    tried.close()
    assert sorted(deleted) == ["/a/exports/1"] * 2 + ["/b/exports/1"] * 2
    assert any("2 jobs were created, and stay there: 1, 1 (deleting failed)" in note for note in told)
