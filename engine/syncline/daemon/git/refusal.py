"""What it means that a Git server wasn't of service: whether it may pass, or a person has to act, and how.

Git and ssh say it in words only; they are asked to speak English (`LC_ALL=C`), and what isn't known here may pass.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from syncline.model.errors import Again, Stalled, SynclineError


class _Meaning(Struct, frozen=True):
    code: str
    words: re.Pattern[str]
    message: str
    help: str


_MEANINGS: Final = (
    _Meaning(
        "SYN667",
        re.compile(
            r"host key is known for|REMOTE HOST IDENTIFICATION HAS CHANGED|Host key verification failed"
            r"|certificate verification failed|SSL certificate problem|SSL: no alternative certificate"
            r"|does not match pinned public key"
        ),
        "isn't known to be the server it should be",
        "SSH: compare the server's key with what its operator publishes and add it to known_hosts. HTTPS: name the "
        "authority that issued the certificate by GIT_SSL_CAINFO, of a Source by `tls.ca`, or add it to those that the "
        "machine trusts; `tls.pins` must have the server's key.",
    ),
    _Meaning(
        "SYN667",
        re.compile(
            r"Error in protocol version|unsupported (TLS )?protocol|tlsv1 alert protocol version"
            r"|TLSV1_ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL",
            re.IGNORECASE,
        ),
        "doesn't speak TLS 1.3",
        "Have its operator switch it on. Where it knows nothing newer than 1.2, set GIT_SSL_VERSION=tlsv1.2 for the "
        "daemon.",
    ),
    _Meaning(
        "SYN668",
        re.compile(
            r"Authentication failed|could not read (Username|Password)|Permission denied \(|returned error: 40[13]\b"
            r"|repository '[^']*' not found|Repository not found"
        ),
        "doesn't let us in, or has no such repository",
        "Look at the credentials, at their end, and at whether they may read this repository. Servers say that a "
        "repository isn't there to those who may not read it.",
    ),
    _Meaning(
        "SYN669",
        re.compile(r"returned error: 30[12378]\b|unable to update url base from redirection"),
        "has moved",
        "Give the new address as --source. Redirections aren't followed: the credentials would go with them.",
    ),
)


def refusal(said: str, url: str) -> SynclineError:
    """The error for what git said on its way to a repository; `url` is it without credentials.

    >>> refusal("fatal: Authentication failed for 'https://git.example.com/a.git/'", "https://git.example.com/a.git").code
    'SYN668'
    """
    lines = [line.strip() for line in said.splitlines() if line.strip(" @")]
    for meaning in _MEANINGS:
        found = next((line for line in lines if meaning.words.search(line)), None)
        if found is not None:
            return Stalled(f"{url} {meaning.message}: {_plain(found)}", code=meaning.code, help=meaning.help)
    return Again(f"{url} can't be fetched: {_plain(lines[0]) if lines else 'git failed'}", code="SYN661")


def _plain(line: str) -> str:
    return line.removeprefix("fatal: ").removeprefix("error: ")[:200]
