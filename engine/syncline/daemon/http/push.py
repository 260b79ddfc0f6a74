"""Push webhooks of GitHub, GitLab, Gitea and Forgejo: whether a delivery is genuine, and whether it is worth a look.

A delivery is a hint and nothing more: what is applied is what the repository itself is asked for. So a delivery that
comes again, late or out of order does no harm, and one that is lost costs the time until the next poll.
"""

from __future__ import annotations

import hmac
import json
import threading
import time
from collections.abc import Callable, Sequence
from email.message import Message
from typing import Any, Final
from urllib.parse import parse_qs

from syncline.daemon.http.listening import Asked, Reply
from syncline.daemon.http.proofs import one, same, standard
from syncline.model.errors import Stalled, SynclineError
from syncline.model.secret import Secret
from syncline.sdk.clock import SystemClock
from syncline.sdk.limits import Window

PATH: Final = "/hook"
#: Most bytes of a delivery; of a larger push the next poll learns.
MAX_BODY: Final = 5 * 1024 * 1024
#: Fewest characters of a secret: one that can be guessed is none.
SHORTEST: Final = 16
#: Most deliveries that are looked at, in so many seconds.
RATE: Final = (60, 10.0)
#: What a delivery is answered that isn't signed as it should be.
UNSIGNED: Final = Reply(401, {"error": "not signed with the secret"})
_HEX: Final = ("X-Gitea-Signature", "X-Forgejo-Signature", "X-Gogs-Signature")


class Webhook:
    """Answers deliveries. `secrets` gives those that count now; `pushed` has whatever follows a ref looked at, and says
    whether anything does. `refused` is told of each that isn't signed.

    Safe for threads. Secrets are asked for at each delivery, so that a new one counts without a restart.
    """

    def __init__(
        self,
        secrets: Callable[[], Sequence[Secret]],
        pushed: Callable[[str], bool],
        refused: Callable[[], None] = lambda: None,
    ) -> None:
        self._secrets = secrets
        self._pushed = pushed
        self._refused = refused
        self._lock = threading.Lock()
        self._window = Window(*RATE, SystemClock())

    def answer(self, asked: Asked) -> Reply:
        """202 for a push to what is followed, 200 for what is none of our business, else why it doesn't count."""
        if asked.path.partition("?")[0] != PATH:
            return Reply(404, {"error": f"deliveries go to {PATH}"})
        if asked.method != "POST":
            return Reply(405, {"error": "deliveries come by POST"}, {"Allow": "POST"})
        with self._lock:
            pause = self._window.take()
        if pause:
            return Reply(429, {"error": "too many deliveries"}, {"Retry-After": str(int(pause) + 1)})
        try:
            secrets = self._secrets()
        except SynclineError:
            return Reply(503, {"error": "the secret can't be read"}, {"Retry-After": "60"})
        now = time.time()
        if not any(genuine(asked.headers, asked.body, secret, now) for secret in secrets):
            self._refused()
            return UNSIGNED
        ref = pushed(asked.headers, asked.body)
        if not self._pushed(ref):
            return Reply(200, {"look": False, "reason": "nothing that is followed was pushed"})
        return Reply(202, {"look": True})


def strong(secret: Secret, name: str) -> Secret:
    """The secret; `Stalled` (SYN666) for one that is too short."""
    if len(secret.reveal()) < SHORTEST:
        raise Stalled(
            f"the secret {name} of the webhook has fewer than {SHORTEST} characters",
            code="SYN666",
            help="Take a random one, such as `openssl rand -hex 32` gives, here and in the Git server's settings.",
        )
    return secret


def genuine(headers: Message, body: bytes, secret: Secret, now: float) -> bool:
    """
    Whether a delivery was made by somebody who knows the secret. Compared in constant time.

    - `X-Hub-Signature-256: sha256=HEX`, HMAC of the body (GitHub; also Gitea and Forgejo);
    - `X-Gitea-Signature: HEX`, `X-Forgejo-Signature`, `X-Gogs-Signature`, HMAC of the body;
    - `webhook-id`, `webhook-timestamp`, `webhook-signature` (Standard Webhooks; GitLab's signing token);
    - `X-Gitlab-Token: SECRET` (GitLab's secret token).
    """
    text = secret.reveal()
    found = hmac.digest(text.encode(), body, "sha256").hex()
    proofs = [same(one(headers, "X-Hub-Signature-256"), f"sha256={found}")]
    proofs += [same(one(headers, name), found) for name in _HEX]
    proofs += [same(one(headers, "X-Gitlab-Token"), text), standard(headers, body, text, now)]
    return any(proofs)


def pushed(headers: Message, body: bytes) -> str:
    """The full name of the ref that a delivery says was pushed; '' where it says nothing of the kind.

    GitHub also sends the document as the form field `payload`.
    """
    try:
        if headers.get_content_type() == "application/x-www-form-urlencoded":
            body = parse_qs(body.decode(), strict_parsing=True, max_num_fields=10)["payload"][0].encode()
        document: Any = json.loads(body)
    except (ValueError, KeyError, RecursionError):
        return ""
    ref = document.get("ref") if isinstance(document, dict) else None
    return ref if isinstance(ref, str) and ref.startswith("refs/") else ""
