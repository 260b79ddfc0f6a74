"""Outcomes by the names that people type: a run's id, a flow's newest run, or a file that a report was written to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from syncline.model.errors import Invalid
from syncline.model.run import TRANSITIONS

if TYPE_CHECKING:
    from syncline.executor.previews.outcomes import RunOutcome
    from syncline.settings import Settings


def of_other_home(settings: Settings, home: Path) -> Settings:
    """Settings of the environment whose home is another folder; `Invalid` (SYN857) where it has no state."""
    database = home.resolve() / "state.db"
    if not database.is_file():
        raise Invalid(
            f"{home} has no state: there is no {database.name} in it",
            code="SYN857",
            help="Where that environment's state is in PostgreSQL, or on another machine, write the outcome to a file"
            " there, by `syncline runs report RUN -o json --out FILE`, and name that file.",
        )
    return replace(settings, home=home.resolve(), state_url=f"sqlite:///{database}")


def find_outcome(settings: Settings, name: str, folder: Path) -> RunOutcome:
    """The outcome that a name means: of a file in `folder`, of a flow's newest run that ended, or of a run."""
    from syncline import workflow
    from syncline.cli.names import FLOWS, find_object

    file = folder / name
    if file.is_file():
        return read_outcome(file)
    if "/" not in name:
        return workflow.run_outcome(settings, name)
    key = find_object(name, (applied.key for applied in workflow.objects(settings)), kinds=FLOWS)
    # A run that retries another, or undoes it, is no outcome of the whole.
    ended = [run for run in workflow.runs(settings, key, 50) if not TRANSITIONS[run.state] and not run.parent]
    if not ended:
        raise Invalid(f"no run of {key} has ended yet", code="SYN856", help="`syncline runs list` shows the runs.")
    return workflow.run_outcome(settings, ended[0].id)


def read_outcome(file: Path) -> RunOutcome:
    """The outcome in a file that `runs report -o json` or `rehearse -o json` wrote; `Invalid` (SYN856) for another."""
    from syncline.cli.output import rehearsal, report
    from syncline.executor.previews.outcomes import outcome_of_rehearsal, outcome_of_report

    try:
        data = json.loads(file.read_bytes())
        if data["version"] == rehearsal.VERSION:
            return outcome_of_rehearsal(data)
        if data["version"] == report.VERSION:
            return outcome_of_report(data, report.reported(data))
    except (KeyError, TypeError, ValueError, AttributeError, OSError):
        pass
    raise Invalid(
        f"{file} is no outcome of a run or a rehearsal",
        code="SYN856",
        help="Name a file that `syncline runs report RUN -o json` or `syncline rehearse FLOW -o json` wrote, a run, or"
        " a flow, which means its newest run.",
    )
