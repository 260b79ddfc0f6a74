"""Private authorities reach what has no integration: secrets of AWS and webhooks that tell. Against a real server over TLS."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from syncline.daemon.http.listening import Asked, Reply, listening
from syncline.daemon.http.tls import ServerTls
from syncline.kinds.subscription import SubscriptionSpec
from syncline.manifests.demands.subscriptions import check_subscriptions
from syncline.manifests.load import load_text
from syncline.manifests.resolve import resolve
from syncline.model.errors import Again, Stalled
from syncline.model.key import ObjectKey
from syncline.model.notice import NOTICES, Phase
from syncline.model.secret import Secret
from syncline.notify.channels import open_channel
from syncline.sdk.http.tls import pin_of
from syncline.sdk.notice import Notice
from syncline.secrets.aws import AwsProvider
from syncline.secrets.contract import Context, Reference, Unavailable
from syncline.settings import read_settings
from tests.peers.pki import Authority

NOTICE = Notice("m1", Phase.open, "crm", "text", NOTICES["incident"], thread="t1")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


@contextmanager
def answering(authority: Authority, document: dict[str, str], came: list[Asked]) -> Iterator[str]:
    """A server that shows a certificate of the authority, and answers everything with this; its URL."""
    issued = authority.issue("localhost")
    issued.key.chmod(0o600)

    def answer(asked: Asked) -> Reply:
        came.append(asked)
        return Reply(200, document)

    tls = ServerTls(issued.certificate, issued.key, print)
    with listening(("127.0.0.1", 0), answer, max_body=1 << 16, tls=tls) as port:
        yield f"https://localhost:{port}"


def test_secrets_of_aws(authority: Authority, tmp_path: Path):
    """The service is asked once AWS_CA_BUNDLE names its authority; before that no signature goes to it."""
    came: list[Asked] = []
    with answering(authority, {"SecretString": "geheim"}, came) as url:
        environ = {
            "AWS_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "AKIA",
            "AWS_SECRET_ACCESS_KEY": "s",
            "AWS_ENDPOINT_URL": url,
        }

        def got(more: dict[str, str]) -> str:
            return AwsProvider(Context(tmp_path, environ | more)).get(Reference("aws", "acme/crm")).reveal()

        with pytest.raises(Again, match="certificate") as unknown:
            got({})
        with pytest.raises(Unavailable, match="AWS_CA_BUNDLE") as missing:
            got({"AWS_CA_BUNDLE": str(tmp_path / "none.pem")})
        assert not came
        assert got({"AWS_CA_BUNDLE": str(authority.ca)}) == "geheim"

    assert (unknown.value.code, missing.value.code) == ("SYN820", "SYN822")
    assert len(came) == 1


def test_webhooks_that_tell(authority: Authority):
    """A receiver is told once `tls.ca` names its authority, and by a pin only if its key is that one."""
    came: list[Asked] = []
    settings = read_settings(authority.ca.parent, {})
    key = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    def told(url: str, tls: dict[str, object]) -> None:
        webhook = {"url": url, "secret": {"secretRef": {"provider": "env", "key": "HOOK"}}, "tls": tls}
        spec = SubscriptionSpec.model_validate({"on": ("incident",), "do": {"webhook": webhook}})
        desired = resolve([]).desired
        channel = open_channel(ObjectKey("", "Subscription", "ops"), spec, desired, settings, lambda *_: key, None)
        with closing(channel.notifier) as notifier:
            notifier.send(NOTICE)

    with answering(authority, {}, came) as url:
        certificate = (authority.ca.parent / "localhost.crt").read_text()
        pin = pin_of(ssl.PEM_cert_to_DER_cert(certificate))
        with pytest.raises(Stalled, match="certificate"):
            told(url, {})
        with pytest.raises(Stalled) as pinned:
            told(url, {"ca": "ca.crt", "pins": (f"sha256/{'A' * 43}=",)})
        assert not came
        told(url, {"ca": "ca.crt", "pins": (pin,)})

    assert pinned.value.code == "SYN833"
    assert json.loads(came[0].body)["type"].startswith("incident")


def test_tls_of_a_receiver_in_the_clear_is_refused():
    """`tls` beside an http:// URL would be believed in, and have no effect."""
    text = """
apiVersion: syncline/v1
kind: Subscription
metadata: {name: ops}
spec:
  on: [incident]
  do:
    webhook:
      url: SCHEME://hooks.example.com
      secret: {secretRef: {provider: env, key: HOOK}}
      tls: {ca: ca.crt}
"""

    def found(scheme: str) -> list[str]:
        loaded = load_text(text.replace("SCHEME", scheme), "ops.yaml")
        assert not loaded.diagnostics
        return [one.code for one in check_subscriptions(resolve(list(loaded.manifests)).desired)]

    assert (found("http"), found("https")) == (["SYN914"], [])
