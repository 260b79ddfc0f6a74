"""A key that is replaced while runs go on: whichever side changes first, no run fails."""

from __future__ import annotations

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.executor.work import Work
from syncline.model.errors import Stalled
from syncline.model.key import ObjectKey
from syncline.model.run import RunState
from syncline.model.secret import Secret
from syncline.secrets.contract import Context, Reference
from syncline.secrets.window import finish, replace
from syncline.settings import read_settings
from tests import repository
from tests.api_server import Asked, Reply, api_server
from tests.e2e.api import helpdesk

SYNC = ObjectKey("acme", "Sync", "tickets")
ONE, TWO = "key-canary-one", "key-canary-two"
REFERENCE = Reference("file", "key")
AUTHS = {
    "bearer": "{type: bearer, token: {secretRef: {provider: file, key: key}}, rotation: {every: 90d, fallback: %s}}",
    "api_key": "{type: api_key, in: header, name: Authorization, prefix: 'Bearer ', "
    "value: {secretRef: {provider: file, key: key}}, rotation: {every: 90d, fallback: %s}}",
}


class Vendor:
    """An API that takes the keys it is told to."""

    def __init__(self) -> None:
        self.valid = {ONE}
        self.asked: list[str] = []

    def __call__(self, asked: Asked) -> Reply:
        key = {name.lower(): value for name, value in dict(asked.headers).items()}.get(
            "authorization", ""
        ).removeprefix("Bearer ")
        self.asked.append(key)
        if key not in self.valid:
            return Reply({"error": f"no such key: {key}"}, status=401)
        return Reply({"data": [{"id": 1, "title": "A"}], "next": None})


def run(settings, said: list[str]) -> RunState:
    try:
        with workflow.engine(settings) as engine:
            return engine.run(Work(SYNC), Silent()).record.state
    except Stalled as refused:
        said.append(str(refused))
        return RunState.failed


@pytest.mark.parametrize("auth", AUTHS)
def test_whichever_side_changes_first(tmp_path, auth):
    """Replaced here first, runs go on with the former key until the vendor knows the new one; a run that is refused
    both fails, and says neither.
    """
    vendor, context = Vendor(), Context(tmp_path, {})
    said: list[str] = []
    with api_server(vendor) as api:
        repository.write(tmp_path, helpdesk(api.url, auth=AUTHS[auth] % "true"))
        settings = read_settings(tmp_path, {"SYNCLINE_ACTOR": "tests"})
        replace(REFERENCE, Secret(ONE), context)
        workflow.apply(settings)
        assert run(settings, said) == RunState.succeeded
        replace(REFERENCE, Secret(TWO), context)
        vendor.asked.clear()
        assert run(settings, said) == RunState.succeeded
        assert vendor.asked[:2] == [TWO, ONE]
        assert TWO not in vendor.asked[1:]
        vendor.valid = {TWO}
        vendor.asked.clear()
        assert run(settings, said) == RunState.succeeded
        assert set(vendor.asked) == {TWO}
        vendor.valid = set()
        assert run(settings, said) == RunState.failed
        finish(REFERENCE, context)
        vendor.valid, vendor.asked = {ONE}, []
        assert run(settings, said) == RunState.failed
        assert set(vendor.asked) == {TWO}
    assert len(said) == 2
    assert "canary" not in "".join(said)


def test_without_fallback_the_new_value_alone_counts(tmp_path):
    """It has to be asked for: a former key is not sent by default."""
    vendor, context = Vendor(), Context(tmp_path, {})
    said: list[str] = []
    with api_server(vendor) as api:
        repository.write(tmp_path, helpdesk(api.url, auth=AUTHS["bearer"] % "false"))
        settings = read_settings(tmp_path, {"SYNCLINE_ACTOR": "tests"})
        replace(REFERENCE, Secret(ONE), context)
        workflow.apply(settings)
        replace(REFERENCE, Secret(TWO), context)
        assert run(settings, said) == RunState.failed
        assert set(vendor.asked) == {TWO}
