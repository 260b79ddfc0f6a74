"""Where the data of an integration is, as far as its manifest tells: below a path, or in a schema of a database.

Pure: no link is followed and no host name looked up, so that two ways to one place which only a file system or a name
server knows are not told here. Names that differ in case only count as one, as they may on disk.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath
from typing import Final
from urllib.parse import parse_qs, urlsplit

from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import ConfigValue, IntegrationSpec
from syncline.model.manifest import Path

#: What relative paths start from where nobody says which folder the repository is in.
REPOSITORY: Final = PurePosixPath("/repository")

#: Ways to name this machine.
LOOPBACK: Final = frozenset({"", "localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Location:
    """A place as steps from the widest to the narrowest; `shown` is how the manifest writes it, `path` where."""

    steps: tuple[str, ...]
    shown: str
    path: Path


def location_of(spec: IntegrationSpec, connector: ConnectorSpec, root: PurePath = REPOSITORY) -> Location | None:
    """
    Where an integration of files or a database keeps its data; None for an API, and for what only a secret tells.

    One location is inside another when its steps begin with the other's.
    """
    config = settings_of(spec, connector)
    match connector.runtime, config:
        case "file", {"root": str(path)}:
            return Location(_steps(root, path), path, ("spec", "config", "root"))
        case "file", _:
            return Location(_steps(root, "."), ".", ("spec", "config"))
        case "sql", {"path": str(path)}:
            return Location(_steps(root, path), path, ("spec", "config", "path"))
        case "sql", {"url": str(url)}:
            schema = str(config.get("schema", "public"))
            found = _database(url)
            where = ("spec", "config", "schema" if "schema" in spec.config else "url")
            return Location((*found, schema.casefold()), f"{found[-1]}.{schema}", where) if found else None
        case _:
            return None


def settings_of(spec: IntegrationSpec, connector: ConnectorSpec) -> Mapping[str, ConfigValue]:
    """The configuration of an integration, its connector's defaults filled in."""
    properties = connector.config.properties.items()
    defaults = {name: p.default for name, p in properties if isinstance(p.default, str | int | float | bool)}
    return {**defaults, **spec.config}


def database_hosts(url: str) -> tuple[str, ...]:
    """Every host that a PostgreSQL URL names; none is this machine's socket. Empty for what is no URL."""
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        named = query.get("hostaddr") or query.get("host") or [_hosts(parts.netloc)]
    except ValueError:
        return ()
    return tuple(host.strip().strip("[]").casefold() for host in ",".join(named).split(","))


def _hosts(netloc: str) -> str:
    """Hosts without ports; libpq takes several, `a:1,b:2`, where `urlsplit` knows one."""
    hosts = netloc.rpartition("@")[2].split(",")
    return ",".join(h.partition("]")[0] if h.startswith("[") else h.partition(":")[0] for h in hosts)


def _steps(root: PurePath, path: str) -> tuple[str, ...]:
    normal = posixpath.normpath(posixpath.join(root.as_posix(), path.replace("\\", "/")))
    return ("file", *(step for step in normal.casefold().split("/") if step))


def _database(url: str) -> tuple[str, ...] | None:
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        port = (query.get("port") or [str(parts.port or 5432)])[0]
    except ValueError:
        return None
    hosts = database_hosts(url)
    host = "localhost" if all(h in LOOPBACK or h.startswith("/") for h in hosts) else ",".join(hosts)
    return ("postgresql", host, port, (query.get("dbname") or [parts.path.strip("/")])[0])
