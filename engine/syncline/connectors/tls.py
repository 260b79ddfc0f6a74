"""How the connections of an integration are secured: read in one place from what is declared, for every runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.kinds.integration import IntegrationSpec
from syncline.kinds.tls import Tls as Declared
from syncline.sdk.http.authorities import read_authorities
from syncline.sdk.http.tls import Tls

if TYPE_CHECKING:
    from syncline.sdk.source import Instance


def declared_tls(instance: Instance, offered: Declared | None = None) -> Declared:
    """What an integration's `tls` says; what it leaves out is as its connector's `http.tls`, `offered`, has it."""
    own = instance.integration.tls if isinstance(instance.integration, IntegrationSpec) else Declared()
    said = {name: getattr(own, name) for name in own.model_fields_set}
    return offered.model_copy(update=said) if offered is not None else own


def tls_of(instance: Instance, offered: Declared | None = None) -> Tls:
    """
    The same with its authorities read, and the client certificate of the AuthConfig. `Invalid` (SYN432) for a file that
    can't be read.
    """
    declared = declared_tls(instance, offered)
    certificate = instance.credentials.secrets.get("certificate")
    return Tls(
        declared.min,
        read_authorities(instance.root, declared.ca, f"{instance.name}: tls.ca"),
        certificate.reveal() if certificate is not None else "",
        instance.credentials.secrets.get("certificate_key"),
        declared.pins,
    )
