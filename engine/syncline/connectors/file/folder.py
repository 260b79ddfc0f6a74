"""The folder that a file integration may touch, and which of its files a stream consists of.

Nothing outside the root is ever opened: patterns are relative and without `..`, and what they match is resolved
(symbolic links included) and checked again. Git's folder and Syncline's own are never entered.
"""

from __future__ import annotations

from pathlib import Path

from syncline.model.errors import Invalid, Stalled
from syncline.model.reserved import HELP, is_reserved
from syncline.sdk.source import Instance


def remote_root(instance: Instance) -> str:
    """The URL that an integration's root is; empty where it is a folder."""
    root = str(instance.config.get("root", "."))
    return root if "://" in root else ""


def declared_root(instance: Instance) -> Path:
    """The resolved root of an integration, which may not exist; Invalid when it is reserved, or no folder."""
    if remote := remote_root(instance):
        raise Invalid(
            f"{instance.name}: nothing can be written to {remote}",
            code="SYN561",
            help="Files are only read from servers. Write to a folder, or to a database.",
        )
    repository = instance.root.resolve()
    root = (repository / str(instance.config.get("root", "."))).resolve()
    if is_reserved(root, repository, instance.home):
        raise Invalid(
            f"{instance.name}: the root {instance.config.get('root', '.')} is in a reserved folder",
            code="SYN218",
            help=HELP,
        )
    return root


def root_of(instance: Instance) -> Path:
    """The resolved root of an integration; Stalled when it isn't a folder that can be entered."""
    root = declared_root(instance)
    try:
        if root.is_dir():
            return root
        problem = "isn't a folder" if root.exists() else "doesn't exist"
    except OSError as error:
        problem = f"can't be read ({error.strerror})"
    raise Stalled(
        f"{instance.name}: the root {instance.config.get('root', '.')} {problem}",
        code="SYN452",
        help="Set config.root to an existing folder, relative to the configuration repository.",
    )


def matching(root: Path, pattern: str, home: Path | None = None) -> tuple[str, ...]:
    """Names of the files under the root that a pattern matches: relative, `/` between folders, sorted by code point.

    Files whose name starts with a dot are left out, as a shell does. Invalid when the pattern is
    absolute or climbs, or when a match leads out of the root; none at all is for the caller to judge.
    """
    parts = pattern.replace("\\", "/").split("/")
    if pattern.startswith(("/", "~")) or ".." in parts or "\0" in pattern or Path(pattern).drive:
        raise Invalid(
            f"{pattern!r} leaves the root",
            code="SYN451",
            help="Write patterns relative to config.root, without '..'.",
        )
    try:
        paths = list(root.glob(pattern))
    except (ValueError, IndexError, NotImplementedError) as error:
        raise Invalid(
            f"{pattern!r} is no pattern: {error}",
            code="SYN450",
            help="Use *, ? and [abc] in names, and ** alone between slashes for folders at any depth.",
        ) from None
    names = []
    for path in paths:
        name = path.relative_to(root).as_posix()
        if any(part.startswith(".") for part in name.split("/")) or not path.is_file():
            continue
        locate(root, name, home)
        names.append(name)
    return tuple(sorted(names))


def locate(root: Path, name: str, home: Path | None = None) -> Path:
    """The resolved path of a name under the root; Invalid when it leads out of it, or into a reserved folder."""
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise Invalid(
            f"{name!r} leads out of the root",
            code="SYN451",
            help="A symbolic link may only point to a file inside config.root.",
        )
    if is_reserved(path, root, home):
        raise Invalid(f"{name!r} is in a reserved folder", code="SYN218", help=HELP)
    return path
