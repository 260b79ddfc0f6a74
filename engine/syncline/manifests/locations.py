"""Where the data of an integration is, as far as its manifest tells: below a path, or in a schema of a database.

Pure: no link is followed and no host name looked up, so that two ways to one place which only a file system or a name
server knows are not told here. Names that differ in case only count as one, as they may on disk.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import PurePath, PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, unquote, urlsplit

from msgspec import Struct

from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import ConfigValue, IntegrationSpec
from syncline.model.hosts import is_local
from syncline.model.manifest import Path

if TYPE_CHECKING:
    from syncline.manifests.flow import Flow, Side

#: What relative paths start from where nobody says which folder the repository is in.
REPOSITORY: Final = PurePosixPath("/repository")
_SETTING: Final = re.compile(r"\{\{\s*config\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")


class Location(Struct, frozen=True):
    """A place as steps from the widest to the narrowest; `shown` is how the manifest writes it, `path` where."""

    steps: tuple[str, ...]
    shown: str
    path: Path


def table_of(flow: Flow, root: PurePath = REPOSITORY) -> tuple[str, ...]:
    """The table or folder that a flow writes to: equal for flows of a tenant that write to one."""
    location = _of_side(flow.target, root)
    steps = location.steps if location else (str(flow.target.integration.key),)
    return (flow.key.tenant, *steps, flow.target.stream.casefold())


def one_table(one: Flow, other: Flow, root: PurePath = REPOSITORY) -> bool:
    """
    Whether two flows, of whatever tenants, write to one table or folder: through one integration, or two that lead to
    one place. Where several hosts of a database are named, one that both name is enough.
    """
    if one.target.stream.casefold() != other.target.stream.casefold():
        return False
    if one.target.integration.key == other.target.integration.key:
        return True
    first, second = _of_side(one.target, root), _of_side(other.target, root)
    return first is not None and second is not None and _meet(first.steps, second.steps)


def _meet(first: tuple[str, ...], second: tuple[str, ...]) -> bool:
    """Whether two places are one."""
    if first[0] == second[0] == "postgresql":
        return first[2:] == second[2:] and not set(first[1].split(",")).isdisjoint(second[1].split(","))
    return first == second


def _of_side(side: Side, root: PurePath) -> Location | None:
    assert isinstance(side.integration.spec, IntegrationSpec)
    assert isinstance(side.connector.spec, ConnectorSpec)
    return location_of(side.integration.spec, side.connector.spec, root)


def location_of(spec: IntegrationSpec, connector: ConnectorSpec, root: PurePath = REPOSITORY) -> Location | None:
    """
    Where an integration of files or a database keeps its data; None for an API, and for what only a secret tells.

    One location is inside another when its steps begin with the other's.
    """
    config = settings_of(spec, connector)
    match connector.runtime, config:
        case "file", {"root": str(url)} if "://" in url:
            scheme, _, rest = url.partition("://")
            return Location((scheme, *filter(None, rest.split("/"))), url, ("spec", "config", "root"))
        case "file", {"root": str(path)}:
            return Location(_steps(root, path), path, ("spec", "config", "root"))
        case "file", _:
            return Location(_steps(root, "."), ".", ("spec", "config"))
        case "sql", {"path": str(path)}:
            return Location(_steps(root, path), path, ("spec", "config", "path"))
        case "sql", {"url": str(url)} if url.startswith("mariadb:"):
            found = _mariadb(url)
            return Location(found, found[-1], ("spec", "config", "url")) if found else None
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


def filled(template: str, config: Mapping[str, ConfigValue]) -> str:
    """A URL with the settings that are known put in; what isn't known stays as it is written."""

    def value(found: re.Match[str]) -> str:
        known = config.get(found[1])
        return str(known) if isinstance(known, str | int | float) else found[0]

    return _SETTING.sub(value, template)


def servers(url: str) -> tuple[tuple[str, str], ...]:
    """
    Every host with its port that a PostgreSQL URL names, as libpq reads it; none for what is no URL.

    >>> servers("postgresql://a,B:5433/lake"), servers("postgresql:///lake?host=/run/postgresql")
    ((('a', '5432'), ('b', '5433')), (('/run/postgresql', '5432'),))
    """
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
    except ValueError:
        return ()
    named = [_ADDRESS.fullmatch(text) for text in unquote(parts.netloc.rpartition("@")[2]).split(",")]
    hosts = _listed(query, "hostaddr") or _listed(query, "host") or [found["host"] if found else "" for found in named]
    ports = _listed(query, "port") or [(found and found["port"]) or "5432" for found in named]
    ports = ports if len(ports) == len(hosts) else ports[:1] * len(hosts)  # one port is for all hosts
    return tuple((host.strip("[]").casefold(), port) for host, port in zip(hosts, ports, strict=True))


_ADDRESS: Final = re.compile(r"(?P<host>\[[^]]*\]|[^:]*)(:(?P<port>\d*))?")


def _listed(query: Mapping[str, list[str]], name: str) -> list[str]:
    return [text.strip() for text in query.get(name, [""])[-1].split(",")] if name in query else []


def _steps(root: PurePath, path: str) -> tuple[str, ...]:
    normal = posixpath.normpath(posixpath.join(root.as_posix(), path.replace("\\", "/")))
    return ("file", *(step for step in normal.casefold().split("/") if step))


def _database(url: str) -> tuple[str, ...] | None:
    found = servers(url)
    if not found:
        return None
    parts = urlsplit(url)
    named = parse_qs(parts.query).get("dbname") or [unquote(parts.path).strip("/")]
    hosts = (f"{'localhost' if is_local(host) else host}:{port}" for host, port in found)
    return ("postgresql", ",".join(hosts), named[-1])


def _mariadb(url: str) -> tuple[str, ...] | None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 3306
    except ValueError:
        return None
    return ("mariadb", f"{'localhost' if is_local(host) else host}:{port}", unquote(parts.path).strip("/"))
