"""What every state store promises of runs, rejects, logs and metrics, on each database."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace

from syncline.model.errors import Bug, Invalid
from syncline.model.key import ObjectKey
from syncline.model.run import TRANSITIONS, Counts, RunState
from syncline.model.tally import Tally
from syncline.state.store import Standing
from tests.contract.state_places import ORDERS, RUN, SEALED


class TestRuns:
    def test_run_comes_back_as_it_was(self, store):
        """Every field of a run survives, the receipt's exact text included."""
        full = replace(
            RUN,
            state=RunState.failed,
            finished="2026-11-25T18:16:00Z",
            counts=Counts(2**40, 1, 2, 3, 4, 5, 6),
            error="SYN401: ä\u2028",
            error_code="SYN401",
            parent="20261124T181500-abc123",
            receipt={"n": 2**53 + 1, "text": "\u0000 ä", "none": None, "list": [1, [2.5]]},
        )
        store.put_run(full)
        assert store.run(full.id) == full
        assert store.runs() == (full,)

    def test_text_of_bad_input_is_kept_readable(self, store):
        """NULs and lone surrogates, which bad input brings into messages, are replaced and never fail the record."""
        store.put_run(replace(RUN, error="bad \0 and \ud800"))
        store.log(RUN.id, "error", "bad \0 and \ud800")
        assert store.run(RUN.id).error == store.logs(RUN.id)[0].message == "bad \ufffd and ?"

    @pytest.mark.parametrize("before", list(RunState))
    @pytest.mark.parametrize("after", list(RunState))
    def test_only_known_transitions(self, store, before, after):
        """A recorded run goes only where the table of transitions says; refused, it stays as it was."""
        for number, state in enumerate(way_to(before)):
            store.put_run(replace(RUN, state=state, error=str(number)))
        kept = store.run(RUN.id)
        if after is before or after in TRANSITIONS[before].values():
            store.put_run(replace(RUN, state=after))
            assert store.run(RUN.id).state is after
        else:
            with pytest.raises(Bug, match=f"is {before} and can't become {after}"):
                store.put_run(replace(RUN, state=after))
            assert store.run(RUN.id) == kept

    def test_a_run_and_its_flows_checkpoint_are_kept_together_or_not_at_all(self, store):
        """A copy of the checkpoint comes with a run's record; where that is refused, the copy is the one before."""
        store.put_run(replace(RUN, state=RunState.running), "1")
        assert store.cursor(RUN.key) == "1"
        store.put_run(replace(RUN, state=RunState.running))
        assert store.cursor(RUN.key) == "1"
        store.put_run(replace(RUN, state=RunState.failed), "2")
        with pytest.raises(Bug):
            store.put_run(replace(RUN, state=RunState.running), "3")
        assert store.cursor(RUN.key) == "2"

    @pytest.mark.parametrize("first", list(RunState))
    def test_a_new_run_was_pending(self, store, first):
        """A run that is new can be recorded in any state that a pending run may have next."""
        if first is RunState.pending or first in TRANSITIONS[RunState.pending].values():
            store.put_run(replace(RUN, state=first))
        else:
            with pytest.raises(Bug):
                store.put_run(replace(RUN, state=first))
            assert store.run(RUN.id) is None

    def test_newest_first(self, store):
        """Runs are listed from the newest, of one object or of all, and no more than asked for."""
        other = ObjectKey("acme", "Sync", "other")
        runs = [
            replace(
                RUN, id=f"2026112{n}T000000-aaaaaa", started=f"2026-11-2{n}T00:00:00Z", key=other if n % 2 else ORDERS
            )
            for n in range(6)
        ]
        for run in (runs[3], runs[0], runs[5], runs[1], runs[4], runs[2]):
            store.put_run(run)
        assert store.runs() == tuple(reversed(runs))
        assert store.runs(ORDERS) == (runs[4], runs[2], runs[0])
        assert store.runs(limit=2) == (runs[5], runs[4])

    def test_open_runs_are_those_that_can_go_on(self, store):
        """Of an object's newest runs those that are not final, newest first, and no other object's."""
        for number, state in enumerate(RunState):
            run = replace(RUN, id=f"run-{number}", started=f"2026-11-25T18:15:0{number}Z")
            for way in way_to(state):
                store.put_run(replace(run, state=way))
        store.put_run(replace(RUN, id="other", key=ObjectKey("other", "Sync", "orders")))
        found = store.open_runs(ORDERS)
        assert found == tuple(r for r in store.runs(ORDERS) if TRANSITIONS[r.state])
        assert [r.state for r in found] == [RunState.interrupted, RunState.running, RunState.pending]
        assert [r.id for r in store.open_runs(ORDERS, 4)] == ["run-2"]

    def test_a_flows_standing_is_its_copy_its_newest_run_and_those_that_can_go_on(self, store):
        """Read at once, where there is a copy without a run, and where there are runs without a copy, too."""
        assert store.standing(ORDERS) == Standing()
        store.put_cursor(ORDERS, "there")
        assert store.standing(ORDERS) == Standing("there")
        for number, state in enumerate((RunState.failed, RunState.running, RunState.failed, RunState.succeeded)):
            run = replace(RUN, id=f"run-{number}", started=f"2026-11-25T18:15:0{number}Z")
            for way in way_to(state):
                store.put_run(replace(run, state=way))
        store.put_run(replace(RUN, id="other", key=ObjectKey("other", "Sync", "orders")))
        found = store.standing(ORDERS)
        assert (found.checkpoint, found.runs) == ("there", (store.run("run-3"), store.run("run-1")))
        assert [run.id for run in store.standing(ORDERS, 2).runs] == ["run-3"]
        assert [run.id for run in store.standing(ObjectKey("other", "Sync", "orders")).runs] == ["other"]

    def test_a_runs_state_is_asked_by_its_whole_id(self, store):
        """The state of a run, and nothing for the beginning of its id."""
        store.put_run(RUN)
        assert (store.run_state(RUN.id), store.run_state(RUN.id[:-1])) == (RunState.pending, None)

    def test_a_run_its_checkpoint_and_its_counters_end_together(self, store):
        """All three are there after it; the cursor stays where none is given."""
        store.put_run(replace(RUN, state=RunState.running))
        done = replace(RUN, state=RunState.succeeded, finished="2026-11-25T18:16:00Z", receipt={"run": RUN.id})
        store.finish_run(done, "7", {"runs": 1})
        assert (store.run(RUN.id), store.cursor(ORDERS)) == (done, "7")
        store.finish_run(done, None, {"runs": 1})
        assert store.cursor(ORDERS) == "7"
        assert sum(m.values["runs"] for m in store.metrics(ORDERS)) == 2

    def test_a_run_that_may_not_end_leaves_nothing(self, store):
        """A refused transition, or a state that is not final, keeps neither checkpoint nor counters."""
        store.put_run(RUN)
        for state in (RunState.succeeded, RunState.running):
            with pytest.raises(Bug):
                store.finish_run(replace(RUN, state=state), "7", {"runs": 1})
        assert (store.run(RUN.id), store.cursor(ORDERS), store.metrics(ORDERS)) == (RUN, None, ())

    def test_found_by_a_unique_beginning(self, store):
        """The beginning of an id finds a run if it is long enough and only one has it; wildcards stand for themselves."""
        one, two = replace(RUN, id="20261125T181500-abc123"), replace(RUN, id="20261125T181501-def456")
        store.put_run(one)
        store.put_run(two)
        assert store.run("20261125T181501") == two
        assert store.run(one.id) == one
        assert store.run("20261125T1815%") is None
        assert store.run("20261125T18150_") is None
        with pytest.raises(Invalid, match=f"{two.id}, {one.id}") as caught:
            store.run("20261125T1815")
        assert caught.value.code == "SYN616"

    def test_too_short_a_beginning_is_refused(self, store):
        """Fewer than six characters are too few, even where only one run has them."""
        store.put_run(RUN)
        with pytest.raises(Invalid, match=RUN.id):
            store.run(RUN.id[:5])
        assert store.run(RUN.id[:6]) == RUN
        assert store.run("1999") is None

    def test_recorded_by_many_at_once(self, where):
        """Threads of several stores that record runs at once lose none, and one run recorded twice at once is one."""
        stores = [where.store() for _ in range(4)]

        def record(number: int) -> None:
            store = stores[number % 4]
            for n in range(10):
                run = replace(RUN, id=f"20261125T181500-{number:02}{n:02}")
                for state in (RunState.pending, RunState.running, RunState.succeeded):
                    store.put_run(replace(run, state=state))
                store.put_cursor(ORDERS, f"{number} {n}")
                store.add_metrics(ORDERS, {"operations": 1, "bytes": 10})
            store.put_run(RUN)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(record, range(8)))
        runs = stores[0].runs(limit=1000)
        assert len(runs) == 81
        assert {run.state for run in runs if run.id != RUN.id} == {RunState.succeeded}
        totals = [m.values for m in stores[0].metrics(ORDERS)]
        assert sum(v["operations"] for v in totals) == 80
        assert sum(v["bytes"] for v in totals) == 800


class TestEvidence:
    def test_cursor_is_replaced(self, store):
        """A cursor is what was put last."""
        store.put_cursor(ORDERS, "1")
        store.put_cursor(ORDERS, '{"after":"ü"}')
        assert store.cursor(ORDERS) == '{"after":"ü"}'
        assert store.cursors() == {ORDERS: '{"after":"ü"}'}

    def test_rejects_come_back_in_order(self, store):
        """Sealed rejects read back byte for byte and in order, however many; the same sequence replaces."""
        store.put_run(RUN)
        many = [replace(SEALED, sequence=n, blob=os.urandom(100)) for n in range(40)]
        for sealed in reversed(many):
            store.put_rejects(sealed)
        store.put_rejects(many[7])
        assert list(store.rejects(RUN.id)) == many
        many[7] = replace(many[7], count=1, blob=b"")
        store.put_rejects(many[7])
        assert list(store.rejects(RUN.id)) == many

    def test_rejects_of_uncommitted_batches_are_dropped(self, store):
        """Dropping from a sequence on keeps those before it, and those of other runs."""
        other = replace(RUN, id="20261125T181501-def456")
        for run in (RUN, other):
            store.put_run(run)
            for n in range(3):
                store.put_rejects(replace(SEALED, run=run.id, sequence=n))
        store.drop_rejects(RUN.id, 1)
        assert [r.sequence for r in store.rejects(RUN.id)] == [0]
        assert [r.sequence for r in store.rejects(other.id)] == [0, 1, 2]

    def test_retried_rejects_are_marked(self, store):
        """Rejects say which run retried them."""
        store.put_run(RUN)
        store.put_rejects(SEALED)
        store.mark_retried(RUN.id, "20261125T190000-abc123")
        assert list(store.rejects(RUN.id)) == [replace(SEALED, retried="20261125T190000-abc123")]

    def test_log_keeps_its_order(self, store):
        """Lines of a run's log come back in order, with their time, operation and details."""
        store.put_run(RUN)
        store.log(RUN.id, "info", "page 1", operation="read", details={"page": 1})
        store.log(RUN.id, "error", "page 2")
        first, second = store.logs(RUN.id)
        assert (first.level, first.message, first.operation, first.details) == ("info", "page 1", "read", {"page": 1})
        assert (second.level, second.message, second.operation, second.details) == ("error", "page 2", "", {})
        assert first.time.endswith("Z")
        assert first.time <= second.time

    def test_runs_are_added_up_by_what_they_did_to_rows(self, store):
        """Finished runs count, of one flow; retries and undone ones do for rows, and not for what was read."""
        assert store.tally(ORDERS) is None
        for number, counts, parent, rows in (
            (1, Counts(read=9, inserted=8, updated=1), "", 8),
            (2, Counts(read=1, inserted=1), "retried", None),
            (3, Counts(read=5, updated=2, unchanged=1, deleted=1, absent=2), "", 7),
        ):
            for state in (RunState.running, RunState.succeeded):
                receipt = {"rows": rows, "text": "\u0000"} if state is RunState.succeeded else None
                store.put_run(
                    replace(
                        RUN,
                        id=f"run-{number}",
                        state=state,
                        started=f"2026-11-25T18:1{number}:00Z",
                        finished=f"2026-11-25T18:1{number}:30Z",
                        counts=counts,
                        parent=parent,
                        receipt=receipt,
                    )
                )
        store.put_run(replace(RUN, id="run-4", state=RunState.failed, counts=Counts(inserted=90)))
        store.put_run(replace(RUN, id="run-5", key=ObjectKey("other", "Sync", "orders"), counts=Counts(inserted=90)))
        ended = "2026-11-25T18:13:30Z"
        assert store.tally(ORDERS) == Tally(
            3, whole=True, read=14, inserted=9, deleted=3, ended=ended, left=3, counted=7
        )

    def test_metrics_add_up_by_the_hour(self, store):
        """Counters of the same hour add up, and each object has its own."""
        store.add_metrics(ORDERS, {"operations": 1, "seconds": 0.25})
        store.add_metrics(ORDERS, {"operations": 2, "errors": 1})
        store.add_metrics(ORDERS, {})
        store.add_metrics(ObjectKey("other", "Sync", "orders"), {"operations": 50})
        periods = store.metrics(ORDERS)
        total: dict[str, float] = {}
        for period in periods:
            assert (period.key, period.start[13:], period.end[13:]) == (ORDERS, ":00:00Z", ":00:00Z")
            for counter, value in period.values.items():
                total[counter] = total.get(counter, 0) + value
        assert total == {"operations": 3, "seconds": 0.25, "errors": 1}


def way_to(state: RunState) -> tuple[RunState, ...]:
    """States that lead to one, from the first."""
    ways = {RunState.pending: (), RunState.running: (RunState.pending,)}
    return (*ways.get(state, (RunState.pending, RunState.running)), state)
