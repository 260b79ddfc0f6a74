"""What a declared source says of TLS, in the words of Git: it counts in place of the daemon's environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from syncline.sdk.http.authorities import read_authorities


class GitTls(Struct, frozen=True):
    """
    What differs from TLS 1.3 with the authorities of the machine, or of the environment: `authorities` is a file below
    `root` of the only ones to trust, `nowhere` a folder without any, and `pins` are the only keys that the server may
    have. Without a `minimum` the environment may say one.
    """

    minimum: str = ""
    root: Path = Path()
    authorities: str = ""
    nowhere: Path = Path()
    pins: tuple[str, ...] = ()

    def environment(self) -> Mapping[str, str]:
        """
        Variables of Git, for one fetch: the file is looked at with each, so that one that comes later, or is renewed,
        counts. `Invalid` (SYN432) where it can't be read. The machine's folder would count beside it.

        >>> dict(GitTls("1.2").environment())
        {'GIT_SSL_VERSION': 'tlsv1.2'}
        """
        found = {"GIT_SSL_VERSION": f"tlsv{self.minimum}"} if self.minimum else {}
        if self.authorities:
            read_authorities(self.root, self.authorities, "tls.ca")
            file = (self.root / self.authorities).resolve()
            found |= {"GIT_SSL_CAINFO": str(file), "GIT_SSL_CAPATH": str(self.nowhere)}
        return found

    def settings(self) -> Mapping[str, str]:
        """
        Settings of Git's.

        >>> dict(GitTls(pins=("sha256/AA=", "sha256/BB=")).settings())
        {'http.pinnedPubkey': 'sha256//AA=;sha256//BB='}
        """
        pins = ";".join(pin.replace("/", "//", 1) for pin in self.pins)
        return {"http.pinnedPubkey": pins} if pins else {}
