"""Docker's registry, whose catalogue is paged by Link headers (RFC 8288) to a path of its own."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.peers.install import debian, program
from tests.peers.process import free_port, running
from tests.peers.web import answers, ask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGES = ("docker-registry",)
SETTINGS = """\
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: FOLDER}, delete: {enabled: true}}
http: {addr: "127.0.0.1:PORT"}
"""
CONFIG = b"{}"
DIGEST = f"sha256:{hashlib.sha256(CONFIG).hexdigest()}"
OCI = "application/vnd.oci.image"


@dataclass(frozen=True)
class Registry:
    """A running registry; `url` ends in `/v2`."""

    url: str

    def push(self, name: str, tag: str) -> None:
        """An image without layers, under a tag."""
        begun = ask("POST", f"{self.url}/{name}/blobs/uploads/")
        stream = {"Content-Type": "application/octet-stream"}
        ask("PUT", f"{begun.headers['location']}&digest={DIGEST}", CONFIG, headers=stream).ok()
        config = {"mediaType": f"{OCI}.config.v1+json", "digest": DIGEST, "size": len(CONFIG)}
        image = {"schemaVersion": 2, "mediaType": f"{OCI}.manifest.v1+json", "config": config, "layers": []}
        kind = {"Content-Type": f"{OCI}.manifest.v1+json"}
        ask("PUT", f"{self.url}/{name}/manifests/{tag}", json.dumps(image).encode(), headers=kind).ok()


def install() -> None:
    """Its Debian package."""
    debian(*PACKAGES)


@contextmanager
def docker_registry(folder: Path) -> Iterator[Registry]:
    """A registry without images."""
    install()
    port = free_port()
    settings = folder / "registry.yml"
    settings.write_text(SETTINGS.replace("FOLDER", str(folder / "data")).replace("PORT", str(port)))
    url = f"http://127.0.0.1:{port}/v2"
    with running([program("docker-registry"), "serve", settings], folder, lambda: answers(f"{url}/")):
        yield Registry(url)
