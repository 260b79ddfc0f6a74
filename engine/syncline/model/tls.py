"""One rule for every connection over TLS: version 1.3 (RFC 8446), unless 1.2 is declared where the peer is.

| connection                                | what declares that TLS 1.2 is enough                                |
|-------------------------------------------|---------------------------------------------------------------------|
| APIs, and what they are logged in to      | `http.tls.min: "1.2"` of the connector                              |
| proxies (https://)                        | `proxy.tls.min: "1.2"` of the integration                           |
| MariaDB, mail servers                     | `config.tlsMin: "1.2"` of the integration                           |
| PostgreSQL, as warehouse and as state     | `ssl_min_protocol_version=TLSv1.2` in its URL                       |
| Redis                                     | `tlsMin=1.2` in the query of `SYNCLINE_REDIS`                       |
| Git over HTTPS                            | `GIT_SSL_VERSION=tlsv1.2` in the daemon's environment               |
| S3, SQS, web servers of files             | as an API: their connector's `http.tls`                             |
| Vault, AWS, witnesses, webhooks that tell | nothing: always 1.3                                                 |

Nothing older is ever spoken, and no exception leaves out that the peer's certificate is verified.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

#: The oldest version that a connection may have.
Oldest: TypeAlias = Literal["1.2", "1.3"]

#: What holds where nothing is declared.
OLDEST: Final[Oldest] = "1.3"


def oldest(declared: object) -> Oldest:
    """The oldest version that is spoken, where a setting says this.

    >>> oldest("1.2"), oldest("1.3"), oldest(None), oldest("1.0")
    ('1.2', '1.3', '1.3', '1.3')
    """
    return "1.2" if declared == "1.2" else OLDEST
