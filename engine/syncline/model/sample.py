"""A sample of an answer that couldn't be read: what a person needs to see what it was, kept with the run it ended."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping

from msgspec import Struct, to_builtins

#: Characters of a body that a sample holds.
SIZE = 4096
#: Bytes that secrets are looked for in: one that is cut in half would no longer be recognised.
_HIDDEN_IN = 64 * 1024


class Sample(Struct, frozen=True):
    r"""The start of a body, with what is known of the answer. It may hold personal data, so it is only kept sealed.

    `request` is as people are shown it, without secrets: `GET /tickets?cursor=8`. `length` is that of the body in bytes
    and `sha256` its hex digest, both as it came, decompressed. In `body`, a byte that is no UTF-8 is `\xNN`.
    """

    request: str
    status: int
    content_type: str
    length: int
    sha256: str
    body: str

    def to_json(self) -> str:
        """The sample as JSON text."""
        return json.dumps(to_builtins(self), ensure_ascii=False)


def sample_of(request: str, status: int, headers: Mapping[str, str], body: bytes, hide: Callable[[str], str]) -> Sample:
    r"""
    A sample of an answer; `hide` takes secrets out.

    >>> sample_of("GET /a", 200, {}, b"<p>k3y\xff", lambda text: text.replace("k3y", "***")).body
    '<p>***\\xff'
    """
    text = hide(body[:_HIDDEN_IN].decode("utf-8", errors="backslashreplace"))[:SIZE]
    media = hide(headers.get("content-type", ""))[:200]
    return Sample(request, status, media, len(body), hashlib.sha256(body).hexdigest(), text)
