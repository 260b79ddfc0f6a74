"""What Secrets Manager says of secrets that wait for their deletion, or aren't ours, as its reference documents it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from syncline.model.errors import Stalled
from syncline.model.secret import Secret
from syncline.secrets.contract import Context, Reference
from syncline.secrets.window import accepted, finish, replace
from tests.api_server import Asked, Reply, api_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REFERENCE = Reference("aws", "acme/crm")
MARKED = "You can't perform this operation on the secret because it was marked for deletion."
SCHEDULED = "You can't create this secret because a secret with this name is already scheduled for deletion."


class Service:
    """Values by name, names that wait for their deletion, and names that this key may not use."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.waiting: set[str] = set()
        self.denied: set[str] = set()

    def __call__(self, asked: Asked) -> Reply:
        body = json.loads(asked.body)
        action = asked.headers["x-amz-target"].removeprefix("secretsmanager.")
        name = body.get("SecretId") or body["Name"]
        if name in self.denied:
            return _refused("AccessDeniedException", "User is not authorized to perform it.")
        if name in self.waiting and action != "RestoreSecret":
            return _refused("InvalidRequestException", SCHEDULED if action == "CreateSecret" else MARKED)
        if name not in self.values and action != "CreateSecret":
            return _refused("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        match action:
            case "RestoreSecret":
                self.waiting.discard(name)
            case "DeleteSecret":
                assert body["ForceDeleteWithoutRecovery"]
                del self.values[name]
            case "PutSecretValue" | "CreateSecret":
                self.values[name] = body["SecretString"]
            case _:
                assert action == "GetSecretValue"
        return Reply({"Name": name, "SecretString": self.values.get(name)})


def _refused(kind: str, message: str) -> Reply:
    return Reply({"__type": f"com.amazonaws.secretsmanager#{kind}", "message": message}, status=400)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[Service, Context]]:
    """The service, with a secret in it, and the way to it."""
    service = Service()
    service.values["acme/crm"] = "two"
    with api_server(service) as server:
        environ = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        yield service, Context(tmp_path, {**environ, "AWS_ENDPOINT_URL": server.url})


def values(context: Context) -> list[str]:
    return [secret.reveal() for secret in accepted(REFERENCE, context)]


def test_a_former_value_that_waits_for_its_deletion_counts_no_more(service: tuple[Service, Context]):
    """As an earlier version left it: the present one counts, the next window takes the name again, and ends at once."""
    aws, context = service
    aws.values["acme/crm.former"] = "one"
    aws.waiting.add("acme/crm.former")

    assert values(context) == ["two"]
    assert not finish(REFERENCE, context)
    assert replace(REFERENCE, Secret("three"), context)
    assert values(context) == ["three", "two"]
    assert finish(REFERENCE, context)
    assert values(context) == ["three"]


def test_a_former_value_that_may_not_be_read_breaks_nothing(service: tuple[Service, Context]):
    """A role for the one secret alone goes on with it; a rotation, which needs both, is refused and changes nothing."""
    aws, context = service
    aws.denied.add("acme/crm.former")

    assert values(context) == ["two"]
    with pytest.raises(Stalled) as caught:
        replace(REFERENCE, Secret("three"), context)
    assert caught.value.code == "SYN822"
    assert aws.values == {"acme/crm": "two"}
