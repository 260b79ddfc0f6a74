"""Health and readiness of a daemon over HTTP, `/healthz` and `/readyz`, and what it counts, `/metrics`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from syncline.daemon.http.listening import Asked, Reply, listening
from syncline.daemon.http.metrics import KIND

if TYPE_CHECKING:
    from syncline.daemon.http.tls import ServerTls

#: What a probe is answered: whether all is well, and the document that says how it stands.
Answer = Callable[[], tuple[bool, dict[str, Any]]]


@contextmanager
def serving(
    host: str,
    port: int,
    probes: dict[str, Answer],
    metrics: Callable[[], str] | None = None,
    tls: ServerTls | None = None,
) -> Iterator[int]:
    """Answers GET of each path while the block runs: 200 or 503, with JSON. Gives the port; 0 asks for a free one.
    `metrics` gives what `/metrics` answers.

    >>> import urllib.request
    >>> with serving("127.0.0.1", 0, {"/healthz": lambda: (True, {"leading": True})}) as port:
    ...     urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz").read()
    b'{"leading": true}'
    """

    def answer(asked: Asked) -> Reply:
        if metrics is not None and asked.path == "/metrics":
            return Reply(200, {}, body=metrics().encode(), kind=KIND)
        probe = probes.get(asked.path)
        if probe is None:
            return Reply(404, {"error": "no such probe"})
        ok, document = probe()
        return Reply(200 if ok else 503, document)

    with listening((host, port), answer, name="probes", tls=tls) as bound:
        yield bound
