"""Whether this machine and this home are fit: one finding a thing; nothing is changed."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from syncline.audit.fetch import DirectoryFetcher
from syncline.audit.log_signer import load_signer
from syncline.audit.verify import verify
from syncline.connectors.file.listing import damaged_in
from syncline.executor.services.proxies import environment_proxies, unheeded
from syncline.executor.services.signer_rotation import unfinished
from syncline.kinds.integration import IntegrationSpec
from syncline.manifests.flow import flows
from syncline.manifests.locations import servers
from syncline.manifests.repository import git
from syncline.model.errors import SynclineError
from syncline.model.hosts import is_local
from syncline.reconciler.keys import list_keys
from syncline.reconciler.needs import secret_problem, secret_refs
from syncline.reconciler.rotation import reminders
from syncline.secrets.keys.kek_where import Where
from syncline.secrets.keys.ring import KeyRing
from syncline.state.open import open_reader
from syncline.state.url import sqlite_path

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.manifests.desired import Desired
    from syncline.settings import Settings

_LIBRARIES = ("polars", "pyarrow", "psycopg", "sqlalchemy", "cryptography", "common-expression-language", "google-re2")


class Finding(Struct, frozen=True):
    """One thing looked at: `ok` is None where it can't be told, or doesn't matter yet."""

    name: str
    ok: bool | None
    message: str
    help: str = ""


def doctor(settings: Settings, desired: Desired, errors: int) -> Iterator[Finding]:
    """Looks at everything in turn; a failure of one look is a finding, not an end."""
    looks: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("python", _python),
        ("libraries", _libraries),
        ("git", _git),
        ("configuration", lambda: _configuration(desired, errors)),
        ("proxy", lambda: _proxy(settings)),
        ("state", lambda: _state(settings)),
        ("transport", lambda: _transport(settings)),
        ("keys", lambda: _keys(settings)),
        ("audit log", lambda: _audit(settings)),
        ("secrets", lambda: _secrets(settings, desired)),
        ("credentials", lambda: _credentials(settings, desired)),
        ("folders", lambda: _folders(settings, desired)),
    )
    for name, look in looks:
        try:
            yield from look()
        except SynclineError as error:
            yield Finding(name, ok=False, message=error.message, help=error.help)
        except (OSError, ValueError) as error:
            yield Finding(name, ok=False, message=str(error))


def _python() -> Iterator[Finding]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    yield Finding("python", sys.version_info >= (3, 11), version, "Syncline needs Python 3.11 or newer.")


def _libraries() -> Iterator[Finding]:
    found = [f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES]
    yield Finding("libraries", ok=True, message=", ".join(found))


def _git() -> Iterator[Finding]:
    path = shutil.which("git")
    yield Finding(
        "git", path is not None, path or "not found", "Install git: plans name the commit that they are made of."
    )


def _configuration(desired: Desired, errors: int) -> Iterator[Finding]:
    what = f"{len(desired.objects)} objects" + (f", {errors} errors" if errors else "")
    yield Finding("configuration", errors == 0, what, "See `syncline validate`.")


def _proxy(settings: Settings) -> Iterator[Finding]:
    """Whether the environment's proxies count, where it has some."""
    used = [f"{proxy.scheme} through {proxy}" for proxy in environment_proxies(settings)]
    if used:
        yield Finding("proxy", ok=True, message=f"{', '.join(used)}, unless an integration declares one")
    elif names := unheeded(settings):
        yield Finding(
            "proxy",
            ok=None,
            message=f"nothing goes through what is set as {' and '.join(names)}",
            help="Declare spec.proxy of the integrations, or set SYNCLINE_PROXY=environment.",
        )


def _state(settings: Settings) -> Iterator[Finding]:
    with closing(open_reader(settings.state_url)) as reader:
        if not reader.lineage:
            yield Finding("state", ok=None, message="nothing was applied yet", help="`syncline apply` makes it.")
            return
        left = sum(not entry.done for entry in reader.unfinished_apply())
        what = f"serial {reader.serial()}, {len(reader.objects())} objects applied"
    yield Finding("state", ok=True, message=what)
    if left:
        yield Finding(
            "apply", ok=False, message=f"an apply stopped with {left} steps to take", help="Run `syncline apply`."
        )


def _transport(settings: Settings) -> Iterator[Finding]:
    """Whether the state, and the budgets beside it, are reached without TLS on another machine."""
    url = settings.state_url
    other = "" if sqlite_path(url) else next((host for host, _ in servers(url) if not is_local(host)), "")
    mode = (parse_qs(urlsplit(url).query).get("sslmode") or [settings.environ.get("PGSSLMODE", "")])[-1]
    if other and mode not in {"", "require", "verify-ca", "verify-full"}:
        yield Finding(
            "transport",
            ok=False,
            message=f"the state at {other} may be reached without TLS",
            help="Say ?sslmode=verify-full in SYNCLINE_STATE.",
        )
    elif other and mode in {"require", "verify-ca"}:
        yield Finding(
            "transport",
            ok=None,
            message=f"whether the state at {other} is the server that it says isn't checked (sslmode={mode})",
            help="Say ?sslmode=verify-full in SYNCLINE_STATE, and sslrootcert=FILE for a private authority.",
        )
    redis = urlsplit(settings.redis)
    if redis.scheme == "redis" and not is_local(redis.hostname or ""):
        yield Finding(
            "transport",
            ok=False,
            message=f"the budgets at {redis.hostname} are reached without TLS",
            help="Write rediss:// in SYNCLINE_REDIS.",
        )


def _keys(settings: Settings) -> Iterator[Finding]:
    if not settings.keys.is_dir():
        yield Finding("keys", ok=None, message="made at the first apply")
        return
    open_to_others = [
        p.name
        for p in (settings.keys, *settings.keys.rglob("*"))
        if (p.is_file() or p.is_dir()) and p.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    ]
    what = f"{', '.join(open_to_others)} can be read by others" if open_to_others else "readable by their owner only"
    yield Finding("keys", not open_to_others, what, f"chmod -R go= {settings.keys}")
    yield from _key_folder(settings.keys)
    found = list_keys(settings)
    if not found.keks:
        return
    KeyRing(Where(settings.keys, settings.environ)).current()
    if len(found.keks) > 1:
        yield Finding("key ring", ok=False, message="a rotation isn't finished", help="Run `syncline keys rotate`.")
    else:
        yield Finding("key ring", ok=True, message=f"{found.keks[0].place} wraps {len(found.data)} data keys")


def _key_folder(folder: Path) -> Iterator[Finding]:
    """Who else has the keys: another account that owns them, or whoever gets a copy of the Git repository."""
    others = sorted({p.stat().st_uid for p in (folder, *folder.rglob("*"))} - {os.geteuid()})
    if others:
        whose = ", ".join(f"uid {uid}" for uid in others)
        yield Finding(
            "key folder",
            ok=None,
            message=f"{whose} owns some of it, and reads what is sealed",
            help="Run Syncline as the account that owns its keys.",
        )
    if git(folder, "rev-parse", "--show-toplevel") is None:
        return
    if git(folder, "ls-files", "--", "."):
        yield Finding(
            "key folder",
            ok=False,
            message="Git has keys: whoever reads the repository opens what is sealed",
            help=f"git rm -r --cached {folder}; then `syncline keys rotate`, and ignore the folder.",
        )
    elif git(folder, "check-ignore", "-q", ".") is None:
        yield Finding(
            "key folder",
            ok=False,
            message="it is in a Git repository that doesn't ignore it: `git add` would take the keys along",
            help="Write .syncline/ into .gitignore, or keep the folder elsewhere: SYNCLINE_HOME.",
        )


def _audit(settings: Settings) -> Iterator[Finding]:
    if not settings.audit.is_dir():
        yield Finding("audit log", ok=None, message="begins with the first apply")
        return
    key = load_signer(settings).verifier
    found = verify(DirectoryFetcher(settings.audit), key.name, [key])
    size = found.checkpoint.size if found.checkpoint else 0
    first = found.findings[0].message if found.findings else f"{size:,} entries verify"
    yield Finding("audit log", found.ok, first, "See `syncline audit verify`; restore the log from a backup.")
    if unfinished(settings):
        what = "a rotation of the key that signs the log isn't finished"
        yield Finding("audit key", ok=False, message=what, help="Run `syncline audit rotate`.")


def _credentials(settings: Settings, desired: Desired) -> Iterator[Finding]:
    """Ages, as they were last seen: secrets aren't read for it."""
    with closing(open_reader(settings.state_url)) as reader:
        found = dict(reminders(desired, reader.credentials(), dt.datetime.now(dt.UTC)))
    for key, known in found.items():
        if known is None:
            yield Finding(f"credential {key.name}", ok=None, message=f"wasn't seen yet, so its age isn't known ({key})")
        else:
            help_ = "Replace it where it was issued, and put the new one where the reference leads."
            yield Finding(f"credential {key.name}", None if known.holds else True, f"{known.message} ({key})", help_)


def _folders(settings: Settings, desired: Desired) -> Iterator[Finding]:
    """Lists of parts that can't be used: a run passes over those that say nothing of its own flow."""
    sides = [flow.target for flow in flows(desired) if flow.target.runtime == "file"]
    specs = {side.integration.key: side.integration.spec for side in sides}
    roots = {spec.config.get("root", ".") for spec in specs.values() if isinstance(spec, IntegrationSpec)}
    for root in sorted(str(root) for root in roots if isinstance(root, str) and "://" not in root):
        place = (settings.root / root).resolve()
        for error in damaged_in(place) if place.is_dir() else ():
            yield Finding(f"folder {root}", ok=False, message=error.message, help=error.help)


def _secrets(settings: Settings, desired: Desired) -> Iterator[Finding]:
    for key, manifest in desired.objects.items():
        for ref in secret_refs(manifest.spec):
            at = ref.secret_ref
            problem = secret_problem(settings, key.tenant, ref)
            name = f"secret {at.provider}:{at.key}"
            if problem is None:
                yield Finding(name, ok=True, message=f"is there, for {key}")
            else:
                yield Finding(name, ok=False, message=f"{problem.message} ({key})", help=problem.help)
