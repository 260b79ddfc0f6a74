"""A declared `Source` as a Git repository that can be followed, with what its access needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from syncline.daemon.git.access import Access
from syncline.daemon.git.source import GitSource, SourceRepository
from syncline.daemon.git.tls import GitTls
from syncline.daemon.own_disk import own_disk
from syncline.kinds.source import SourceSpec
from syncline.model import units
from syncline.reconciler.needs import reference
from syncline.secrets.contract import Context
from syncline.settings import Settings


@own_disk()
def open_source(settings: Settings, name: str, spec: SourceSpec) -> SourceRepository:
    """The mirror of a source, in a folder of its own under the home. `Invalid` (SYN660, SYN741, SYN742) for none;
    `Again` or `Stalled` (SYN748) where that folder can't be written.
    """
    home = settings.home / "sources" / name
    signers = _lines(home / "allowed_signers", spec.allowed_signers)
    keys = _lines(home / "openpgp_keys", spec.openpgp_keys)
    source = GitSource(
        url=spec.url,
        branch=spec.branch or "main",
        tag=spec.tag or "",
        commit=spec.commit or "",
        path=spec.path,
        allowed_signers=signers,
        openpgp_keys=keys,
    )
    access = Access(
        context=Context(settings.root, settings.environ, home=settings.home),
        user=spec.user,
        password=reference(spec.password) if spec.password else None,
        ssh_key=reference(spec.ssh_key) if spec.ssh_key else None,
        known_hosts=_lines(home / "known_hosts", spec.known_hosts),
        tls=_tls(settings, home, spec),
    )
    return SourceRepository(source, home, access, timeout=units.duration(spec.timeout))


def _tls(settings: Settings, home: Path, spec: SourceSpec) -> GitTls:
    """What is asked of its server."""
    minimum = spec.tls.min if "min" in spec.tls.model_fields_set else ""
    if not spec.tls.ca:
        return GitTls(minimum, pins=spec.tls.pins)
    nowhere = home / "no_authorities"
    nowhere.mkdir(mode=0o700, parents=True, exist_ok=True)
    return GitTls(minimum, settings.root, spec.tls.ca, nowhere, spec.tls.pins)


def _lines(path: Path, lines: Sequence[str]) -> Path | None:
    """A file of these lines for git and ssh to read; None without any."""
    if not lines:
        return None
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path
