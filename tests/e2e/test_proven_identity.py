"""Who acts is a claim; where it matters the log has the account as well, which no variable changes."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from syncline import privacy
from syncline.model.account import account, login
from syncline.settings import read_settings
from tests.e2e.house import Scenario, audit_events
from tests.e2e.subjects import ADA, lived_in

if TYPE_CHECKING:
    from pathlib import Path

ME = pwd.getpwuid(os.getuid()).pw_name


def erasures(settings) -> list[dict]:
    """Who the log says erased somebody: the actor, and what else it says of that."""
    events = [event for event in audit_events(settings) if event["metadata"]["event_code"] == "privacy.erase"]
    return [{"actor": e["actor"]["user"]["name"], **e["unmapped"]["details"]} for e in events]


@pytest.mark.parametrize("claimed", ["somebody.else", ""])
def test_an_erasure_names_the_account_beside_a_claimed_actor(tmp_path: Path, claimed: str):
    """Under another's name the log has both; under one's own it says it once."""
    settings = lived_in(tmp_path, Scenario("upsert"))
    settings = replace(settings, actor=claimed or login())
    privacy.erase(settings, "acme", ADA, lambda _: None)

    found = erasures(settings)
    assert found
    assert {one["actor"] for one in found} == {claimed or login()}
    assert {one.get("account", "") for one in found} == ({login()} if claimed else {""})


@pytest.mark.parametrize("name", ["USER", "LOGNAME", "LNAME", "USERNAME", "SUDO_USER"])
def test_variables_do_not_change_who_acts(tmp_path: Path, name: str):
    """The default actor is the account of the process, whatever the environment says."""
    script = "import sys; from pathlib import Path; from syncline.settings import read_settings\n"
    script += "import os; print(read_settings(Path(sys.argv[1]), os.environ).actor)"
    environ = {**os.environ, name: "mallory"} | {"SYNCLINE_ACTOR": ""}
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path], env=environ, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == ME == account() == read_settings(tmp_path, {}).actor
