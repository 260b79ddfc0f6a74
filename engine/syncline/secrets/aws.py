"""Secrets in AWS Secrets Manager. `key` is the secret's name or ARN; `path` picks from one that holds JSON.

| variable                                                        | meaning                                      |
|-----------------------------------------------------------------|----------------------------------------------|
| AWS_REGION                                                       | the region (or AWS_DEFAULT_REGION)           |
| AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN       | who we are                                   |
| AWS_ENDPOINT_URL_SECRETS_MANAGER, AWS_ENDPOINT_URL                | another address, such as a VPC endpoint's    |
| AWS_CA_BUNDLE                                                    | a file of the only authorities trusted       |
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from syncline.model.errors import Again, Denied, Invalid
from syncline.model.secret import Secret
from syncline.sdk.auth.sigv4 import SigV4
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Egress, HttpTransport, Request, Tls, TransportError
from syncline.sdk.http.authorities import named_authorities
from syncline.secrets.contract import Context, Problem, Reference, Unavailable
from syncline.secrets.parts import parse_json, pick
from syncline.secrets.vault_client import is_here

_NAME = re.compile(r"[A-Za-z0-9/_+=.@:-]{1,512}")
_TIMEOUT: Final = 15.0
_MAX_ANSWER: Final = 1_000_000
_EGRESS: Final = Egress(private=("0.0.0.0/0", "::/0"))
_NEEDED: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


class AwsProvider:
    """`{provider: aws, key: acme/crm, path: token}`."""

    name: ClassVar[str] = "aws"

    def __init__(self, context: Context) -> None:
        self._environ = context.environ

    def check(self, reference: Reference) -> Problem | None:
        """Say what is wrong with the reference, or missing of the way to the service. It isn't asked."""
        if not _NAME.fullmatch(reference.key):
            return Problem("SYN804", "a key must be the name of a secret, or its ARN")
        missing = [name for name in _NEEDED if not self._environ.get(name)]
        missing += [] if self._region else ["AWS_REGION"]
        if missing:
            return Problem("SYN822", f"{' and '.join(missing)} isn't set", "Set it in the environment of this process.")
        url = urlsplit(self._endpoint)
        if url.scheme != "https" and not is_here(url.hostname or ""):
            return Problem("SYN822", "the endpoint must be an https URL (http only on this machine)")
        try:
            self._tls()
        except Invalid as error:
            return Problem("SYN822", error.message, error.help)
        return None

    def get(self, reference: Reference) -> Secret:
        """Return the secret's current text, or the part of it that `path` names."""
        answer = self._ask(reference, "GetSecretValue", {"SecretId": reference.key})
        text = answer.get("SecretString")
        if not isinstance(text, str):
            raise Unavailable(reference, Problem("SYN803", "it holds bytes and no text"))
        found: Secret | Problem = Secret(text)
        if reference.path:
            tree = parse_json(Secret(text))
            found = tree if isinstance(tree, Problem) else pick(tree, reference.path)
        if isinstance(found, Problem):
            raise Unavailable(reference, found)
        return found

    def put(self, reference: Reference, value: Secret) -> None:
        """Make it the secret's current value, and the secret where there is none, or it is marked for deletion."""
        at = {"SecretId": reference.key}
        body = {"SecretString": value.reveal(), "ClientRequestToken": str(uuid.uuid4())}
        if self._found(reference, "PutSecretValue", {**at, **body}):
            return
        if not self._found(reference, "CreateSecret", {"Name": reference.key, **body}):
            self._ask(reference, "RestoreSecret", at)
            self._ask(reference, "PutSecretValue", {**at, **body})

    def delete(self, reference: Reference) -> None:
        """Have the secret deleted at once: one that waits for its deletion would keep its name from being used."""
        self._ask(reference, "DeleteSecret", {"SecretId": reference.key, "ForceDeleteWithoutRecovery": True})

    # --- one exchange

    def _tls(self) -> Tls:
        return Tls(ca=named_authorities(self._environ, "AWS_CA_BUNDLE"))

    @property
    def _region(self) -> str:
        return self._environ.get("AWS_REGION") or self._environ.get("AWS_DEFAULT_REGION") or ""

    @property
    def _endpoint(self) -> str:
        given = self._environ.get("AWS_ENDPOINT_URL_SECRETS_MANAGER") or self._environ.get("AWS_ENDPOINT_URL")
        return (given or f"https://secretsmanager.{self._region}.amazonaws.com").rstrip("/")

    def _found(self, reference: Reference, action: str, body: Mapping[str, Any]) -> bool:
        """Whether it was done; not where the secret isn't there, or is marked for deletion."""
        try:
            self._ask(reference, action, body)
        except Unavailable as error:
            if error.code != "SYN801":
                raise
            return False
        return True

    def _ask(self, reference: Reference, action: str, body: Mapping[str, Any]) -> dict[str, Any]:
        if problem := self.check(reference):
            raise Unavailable(reference, problem)
        clock = SystemClock()
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"secretsmanager.{action}"}
        request = Request("POST", f"{self._endpoint}/", headers, json.dumps(body).encode())
        transport = HttpTransport(clock, _MAX_ANSWER, egress=_EGRESS, tls=self._tls())
        try:
            response = transport.send(self._signer().sign(request, clock.now()), _TIMEOUT)
        except (TransportError, Denied) as error:
            raise Again(f"secret {reference}: the service can't be reached: {error}", code="SYN820") from None
        finally:
            transport.close()
        try:
            answer = dict(json.loads(response.body or b"{}"))
        except ValueError:
            answer = {}
        if response.status == 200:
            return answer
        kind = str(answer.get("__type", "")).rpartition("#")[2]
        if response.status >= 500 or kind == "ThrottlingException":
            raise Again(f"secret {reference}: the service can't answer now ({kind or response.status})", code="SYN820")
        said = str(answer.get("message") or answer.get("Message") or "")
        raise Unavailable(reference, _refusal(kind, said, response.status))

    def _signer(self) -> SigV4:
        token = self._environ.get("AWS_SESSION_TOKEN")
        return SigV4(
            self._environ["AWS_ACCESS_KEY_ID"],
            Secret(self._environ["AWS_SECRET_ACCESS_KEY"]),
            "secretsmanager",
            self._region,
            Secret(token) if token else None,
        )


def _refusal(kind: str, said: str, status: int) -> Problem:
    if kind == "ResourceNotFoundException":
        return Problem("SYN801", "there is no such secret")
    if kind == "InvalidRequestException" and "delet" in said:  # no kind of its own, and several wordings
        return Problem("SYN801", "it is marked for deletion", "Restore it, or put a value in place.")
    return Problem("SYN822", f"the service refuses: {kind or f'HTTP {status}'}", "Allow this key what it asks for.")
