"""One rule for every connection over TLS: version 1.3 (RFC 8446), unless 1.2 is declared where the peer is.

| connection                                | where it is declared that 1.2 is enough, what is trusted, and pinned |
|-------------------------------------------|---------------------------------------------------------------------|
| APIs, and what they are logged in to      | `tls: {min, ca, pins}` of the integration, else of the connector's http |
| S3, SQS, web servers of files             | likewise                                                            |
| MariaDB, mail servers                     | `tls: {min, ca, pins}` of the integration                           |
| PostgreSQL, as warehouse                  | `tls: {min, ca}` of the integration, or the parameters of its URL    |
| PostgreSQL, as state                      | the parameters of its URL: `ssl_min_protocol_version=TLSv1.2`, …     |
| proxies (https://)                        | `proxy.tls: {min, ca, pins}` of the integration                     |
| Redis                                     | the query of `SYNCLINE_REDIS`: `tlsMin=1.2`, `ssl_ca_certs`          |
| Git over HTTPS                            | `GIT_SSL_VERSION=tlsv1.2`, `GIT_SSL_CAINFO` for the daemon           |
| sources that it follows besides           | `tls: {min, ca, pins}` of the Source, else as above                 |
| Vault                                     | `VAULT_CACERT`, `SYNCLINE_VAULT_PINS`; never 1.2                     |
| webhooks that tell                        | `tls: {min, ca, pins}` of the subscription's webhook                |
| AWS, as a place of secrets                | `AWS_CA_BUNDLE`; never 1.2                                          |
| witnesses                                 | `SYNCLINE_WITNESSES_CA`; never 1.2                                  |

PostgreSQL without `tls` and without `sslmode` is asked the same where it is another machine: `verify-full`, by 1.3.

The client's certificate is `certificate` and `certificateKey` of the integration's AuthConfig, whatever the system;
Vault's is in `VAULT_CLIENT_CERT` and `VAULT_CLIENT_KEY`. Nothing older than 1.2 is ever spoken, and no exception leaves
out that the peer's certificate is verified.

Where we listen, 1.2 is spoken as well as 1.3: who connects is Git servers and probes, of whatever age (`daemon/http`).
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
