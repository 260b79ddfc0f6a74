"""SoftHSM 2: a PKCS#11 module whose tokens are folders."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.peers.install import debian, missing, program

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("softhsm2",)
MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")


@dataclass(frozen=True)
class SoftHsm:
    """A module, and the folder of its tokens."""

    module: str
    folder: Path
    config: Path
    pin: str = field(default="pin-canary-5c31", repr=False)

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a process that uses it."""
        return {
            "SYNCLINE_PKCS11_MODULE": self.module,
            "SYNCLINE_PKCS11_PIN": self.pin,
            "SOFTHSM2_CONF": str(self.config),
        }

    def token(self, label: str) -> None:
        """Makes a token."""
        command = ["softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "12345678"]
        subprocess.run(
            [*command, "--pin", self.pin], env={**os.environ, **self.environ}, check=True, capture_output=True
        )

    def pull(self) -> None:
        """Takes all tokens away, as if the device had been pulled out; they lie beside."""
        shutil.rmtree(self.folder.with_suffix(".away"), ignore_errors=True)
        self.folder.rename(self.folder.with_suffix(".away"))
        self.folder.mkdir()

    def plug(self) -> None:
        """Puts them back."""
        shutil.rmtree(self.folder)
        self.folder.with_suffix(".away").rename(self.folder)


@contextmanager
def softhsm(folder: Path) -> Iterator[SoftHsm]:
    """A module without tokens. Processes find it by `environ`."""
    debian(*PACKAGES)
    program("softhsm2-util")
    module = next((path for path in MODULES if Path(path).exists()), None) or missing("no SoftHSM 2 module")
    tokens, config = folder / "tokens", folder / "softhsm2.conf"
    tokens.mkdir()
    config.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
    yield SoftHsm(module, tokens, config)
