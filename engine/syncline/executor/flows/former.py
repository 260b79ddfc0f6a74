"""A tenant that Git no longer declares, as it was when it was last applied: read from the commit that had it."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from syncline.executor.flows.applied import Applied
from syncline.manifests.load import load_text
from syncline.manifests.overlay import declared
from syncline.manifests.repository import git, run_git
from syncline.manifests.resolve import desired_of
from syncline.model.errors import Invalid, Stalled
from syncline.model.key import ObjectKey
from syncline.planner.compiled import compile_flows

if TYPE_CHECKING:
    from syncline.planner.compiled import CompiledFlow
    from syncline.settings import Settings
    from syncline.state.store import StateReader

_YAML: Final = (":(glob)**/*.yaml", ":(glob)**/*.yml")
#: Applied commits that are looked through for the tenant.
_LOOKED_AT: Final = 200
#: Applies that are known at most.
_REACH: Final = 100_000
#: Versions of manifests that are exported at most.
_VERSIONS: Final = 100_000


class Former(Struct, frozen=True):
    """
    What was applied of a repository at a commit that still declared the tenant; `revision` '' where none did.

    `earlier`: as what the tenant retired before was applied last, flows and integrations, and what a flow was before it
    was led elsewhere, under its name of then. `unexplained`: what is known and neither a commit nor the state says.
    """

    tenant: str
    revision: str
    applied: Applied
    earlier: Mapping[ObjectKey, Applied] = field(default_factory=dict)
    unexplained: tuple[ObjectKey, ...] = ()

    @property
    def flows(self) -> list[ObjectKey]:
        """The tenant's flows."""
        own = (key for key in self.applied.flows if key.tenant == self.tenant)
        return sorted({*own, *(key for key in (*self.earlier, *self.unexplained) if key.is_flow)})

    @property
    def integrations(self) -> list[ObjectKey]:
        """The tenant's integrations, and of those that it retired before the ones that were asked for."""
        own = (one.key for one in self.applied.desired.of_kind("Integration") if one.key.tenant == self.tenant)
        return sorted({*own, *(key for key in (*self.earlier, *self.unexplained) if not key.is_flow)})

    def flow(self, key: ObjectKey) -> CompiledFlow | None:
        """A flow as it was applied last; None where nobody knows how that was."""
        return self.under(key).flows.get(key.unversioned)

    def under(self, key: ObjectKey) -> Applied:
        """What was applied when a flow, or an integration, was applied last."""
        return self.earlier.get(key, self.applied)


def former(
    settings: Settings, reader: StateReader, tenant: str, revision: str = "", known: Iterable[ObjectKey] = ()
) -> Former:
    """
    The tenant at the newest applied commit that declares it, or at the one that is named; those of its objects that are
    `known`, flows and integrations, each at the last applied commit that declares it.

    `Invalid` (SYN862) where there is none: then nobody knows which destinations it wrote to.
    """
    tried = [one.revision for one in reader.history(_REACH if revision else _LOOKED_AT) if one.revision]
    then = list(tried)
    if revision:
        named = (git(settings.root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}") or revision).strip()
        if named not in tried:
            raise Invalid(
                f"commit {revision} was never applied",
                code="SYN862",
                help="Name the last commit that declared the tenant: `git log` and the log of applies have it.",
            )
        tried = [named]
    found: Former | None = None
    missing = set(known)
    for commit in dict.fromkeys((*tried, *then)):
        if (at := _applied_at(settings, commit, tenant)) is None:
            continue
        if found is None:
            found = Former(tenant, commit, at)
        else:
            found = replace(found, earlier={**found.earlier, **{key: at for key in missing if _declares(at, key)}})
        missing = {key for key in missing if not _declares(at, key)}
        if not missing:
            break
    if found is not None:
        return replace(found, unexplained=tuple(sorted(missing)))
    raise Invalid(
        f"no applied commit that Git has here declares tenant {tenant!r}"
        if not revision
        else f"commit {revision} doesn't declare tenant {tenant!r}, or isn't here",
        code="SYN862",
        help="Name the last commit that declared it: --from COMMIT.",
    )


def _declares(applied: Applied, key: ObjectKey) -> bool:
    return key in (applied.flows if key.is_flow else applied.desired.objects)


def _applied_at(settings: Settings, commit: str, tenant: str) -> Applied | None:
    """What a commit declares; None where nothing of it is the tenant's, or it isn't here."""
    with _tree(settings.root, commit) as folder:
        if folder is None:
            return None
        loaded = declared(folder, settings.environment)
        if not any(manifest.key.owner == tenant for manifest in loaded.manifests):
            return None
        desired = desired_of(loaded.manifests)
    return Applied(0, commit, "", {}, desired, compile_flows(desired))


def in_git(reader: StateReader) -> bool:
    """Whether anything was ever applied of a commit, and not of a folder without a repository only."""
    return any(one.revision for one in reader.history(_REACH))


def declared_since(settings: Settings, reader: StateReader, tenant: str, since: str) -> bool:
    """Whether a commit that was applied after a time (RFC 3339 UTC) declares the tenant; of those that Git has here."""
    later = [one.revision for one in reader.history(_REACH) if one.revision and one.finished > since]
    for commit in dict.fromkeys(later):
        with _tree(settings.root, commit) as folder:
            if folder is None:
                continue
            if any(manifest.key.owner == tenant for manifest in declared(folder, settings.environment).manifests):
                return True
    return False


def versions(root: Path, tenant: str) -> Iterator[dict[str, Any]]:
    """
    Every version of the tenant's manifests in the history of this branch, oldest first: commit, author, time, document.

    Only its own documents: a file may hold those of others as well.
    """
    paths = _paths(root, tenant)
    if not paths:
        return
    log = _said(
        root, "log", "--reverse", "--relative", "--name-only", "--format=%x01%H%x00%an <%ae>%x00%aI", "--", *paths
    )
    known: dict[ObjectKey, str] = {}
    count = 0
    for part in log.split("\x01")[1:]:
        head, *names = part.strip("\n").split("\n")
        commit, author, time = head.split("\0")
        for name in dict.fromkeys(filter(None, names)):
            if not _said(root, "ls-tree", "--name-only", commit, "--", name):
                continue  # this commit deleted it
            for manifest in load_text(_said(root, "show", f"{commit}:./{name}"), name).manifests:
                if manifest.key.owner != tenant or known.get(manifest.key) == manifest.digest:
                    continue
                known[manifest.key] = manifest.digest
                count += 1
                if count > _VERSIONS:
                    return
                yield {
                    "commit": commit,
                    "author": author,
                    "time": time,
                    "file": name,
                    "object": str(manifest.key),
                    "document": manifest.source,
                }


def _paths(root: Path, tenant: str) -> list[str]:
    """Files that ever named the tenant."""
    named = f"(tenant|name)[\"']?[[:space:]]*:[[:space:]]*[\"']?{tenant}"
    said = _said(root, "log", "--relative", "--name-only", "--format=", "-E", f"-G{named}", "--", *_YAML)
    return list(dict.fromkeys(filter(None, said.split("\n"))))


def _said(root: Path, *arguments: str) -> str:
    """What a git command says; `Stalled` (SYN862) where it fails, since then nobody knows what is missing."""
    said = git(root, *arguments)
    if said is None:
        raise Stalled(
            f"git {arguments[0]} failed, so that the tenant's manifests can't be exported",
            code="SYN862",
            help="Run it in a whole clone of the repository: `git fsck` says what is missing.",
        )
    return said


@contextmanager
def _tree(root: Path, commit: str) -> Iterator[Path | None]:
    """The manifests of a commit in a folder, while the block runs; None for a commit that isn't here."""
    if not commit or git(root, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}") is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="syncline-") as folder:
        for form in _YAML:  # git refuses a form that nothing fits
            done = run_git(root, "archive", "--format=tar", commit, "--", form)
            if done.returncode == 0:
                with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
                    tar.extractall(folder, filter="data")
        yield Path(folder)
