"""Secrets in AWS Secrets Manager, as moto plays it, with signatures checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from syncline.model.errors import Again, Invalid, Stalled
from syncline.model.secret import Secret
from syncline.secrets.aws import AwsProvider
from syncline.secrets.contract import Context, Reference
from syncline.secrets.provider import resolve, writer
from syncline.secrets.window import accepted, finish, replace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.peers.systems.moto import Aws

CANARY = "canary-90aa"


def environ(moto: Aws, **others: str) -> dict[str, str]:
    return {
        "AWS_REGION": moto.region,
        "AWS_ACCESS_KEY_ID": moto.access_key,
        "AWS_SECRET_ACCESS_KEY": moto.secret_key,
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": moto.url,
        **others,
    }


def test_a_secret_is_written_and_read(moto: Aws, tmp_path: Path):
    """Made where there is none, replaced with a window, read whole or in part."""
    where = Context(tmp_path, environ(moto))
    reference = Reference("aws", "acme/crm")
    with pytest.raises(Stalled) as caught:
        resolve(reference, where)
    assert caught.value.code == "SYN801"

    assert not replace(reference, Secret(CANARY), where)
    assert resolve(reference, where).reveal() == CANARY
    assert replace(reference, Secret('{"token": "two"}'), where)
    assert resolve(Reference("aws", "acme/crm", "token"), where).reveal() == "two"
    assert [secret.reveal() for secret in accepted(reference, where)] == ['{"token": "two"}', CANARY]
    assert finish(reference, where)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "SYN822"),
        ({"AWS_ACCESS_KEY_ID": "AKIAWRONG"}, "SYN822"),
        ({"AWS_REGION": ""}, "SYN822"),
        ({"AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://aws.example"}, "SYN822"),
        ({"AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:1"}, "SYN820"),
    ],
)
def test_what_is_refused_says_why(moto: Aws, tmp_path: Path, change: dict[str, str], code: str):
    """A wrong signature or key, no region, no TLS to elsewhere: a person's matter. No answer: tried again."""
    where = Context(tmp_path, environ(moto, **change))

    with pytest.raises((Stalled, Again)) as caught:
        resolve(Reference("aws", "acme/other"), where)

    assert caught.value.code == code
    assert moto.secret_key not in str(caught.value)


def test_a_window_that_has_ended_is_over(moto: Aws, tmp_path: Path):
    """The former value is gone at once: the present one counts alone, and the next window can begin."""
    where = Context(tmp_path, environ(moto))
    reference = Reference("aws", "acme/window")
    for value in ("one", "two"):
        replace(reference, Secret(value), where)
    assert finish(reference, where)

    assert [secret.reveal() for secret in accepted(reference, where)] == ["two"]
    assert not finish(reference, where)
    assert replace(reference, Secret("three"), where)
    assert [secret.reveal() for secret in accepted(reference, where)] == ["three", "two"]


def test_a_secret_that_waits_for_its_deletion_is_none(moto: Aws, tmp_path: Path):
    """Deleted by others, with the service's recovery window, it counts as absent. Writing it again is a unit test's: moto
    takes values for what is deleted, which the service doesn't.
    """
    where = Context(tmp_path, environ(moto))
    reference = Reference("aws", "acme/waits")
    for value in ("one", "two"):
        replace(reference, Secret(value), where)
    AwsProvider(where)._ask(reference, "DeleteSecret", {"SecretId": "acme/waits.former"})

    assert [secret.reveal() for secret in accepted(reference, where)] == ["two"]
    assert not finish(reference, where)


def test_a_part_of_a_secret_is_not_written(moto: Aws, tmp_path: Path):
    """The document stays whole."""
    where = Context(tmp_path, environ(moto))
    whole, part = Reference("aws", "acme/whole"), Reference("aws", "acme/whole", "token")
    replace(whole, Secret('{"token": "one", "url": "u"}'), where)

    with pytest.raises(Invalid) as caught:
        writer(part, where)

    assert caught.value.code == "SYN828"
    assert resolve(whole, where).reveal() == '{"token": "one", "url": "u"}'
