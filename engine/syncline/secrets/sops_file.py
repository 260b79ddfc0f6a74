"""Secrets in SOPS files of the repository.

`key` is either the path of a file under the root (it ends in .yaml, .yml or .json) with `path` a dotted path in it, or
a dotted path by itself, which is looked up in the tenant's file `secrets/TENANT.sops.yaml` and then in the shared
`secrets.sops.yaml` (with .yml and .json as well); `path` then goes on from there.

The age identity comes from SYNCLINE_AGE_KEY or SOPS_AGE_KEY (one or more, a line each), else from the file that
SOPS_AGE_KEY_FILE names, else from SOPS' own place, `sops/age/keys.txt` in the user's configuration folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import ClassVar, Final

from syncline.model.reserved import is_reserved
from syncline.model.secret import Secret
from syncline.secrets import sops, sops_write
from syncline.secrets.contract import Context, Problem, Reference, Unavailable
from syncline.secrets.keys.folder import alone, sync_folder
from syncline.secrets.parts import SecretTree, pick
from syncline.secrets.sops_tree import MAX_SIZE, SopsError

_ENDINGS: Final = (".yaml", ".yml", ".json")


class SopsProvider:
    """`{provider: sops, key: helpdesk.token}` or `{provider: sops, key: secrets/crm.yaml, path: db.password}`."""

    name: ClassVar[str] = "sops"

    def __init__(self, context: Context) -> None:
        self._context = context

    def check(self, reference: Reference) -> Problem | None:
        """Say when there is no such file or key, and when no identity is at hand; nothing is decrypted."""
        found = self._find(reference)
        if isinstance(found, Problem):
            return found
        identities = self._identities()
        if isinstance(identities, Problem):
            return identities
        return None if identities else _no_identity(found[0], found[1])

    def get(self, reference: Reference) -> Secret:
        """Decrypt the file, check it, and return the value."""
        problem: Problem | None = None
        found = self._find(reference)
        identities = self._identities()
        if isinstance(found, Problem):
            problem = found
        elif isinstance(identities, Problem):
            problem = identities
        elif not identities:
            problem = _no_identity(found[0], found[1])
        else:
            file, data, path = found
            try:
                tree = sops.decrypt(data, identities, is_json=file.suffix == ".json")
                value = pick(tree, path)
            except SopsError as error:
                value = Problem("SYN803", f"{file.name}: {error}")
            if not isinstance(value, Problem):
                return value
            problem = value
        raise Unavailable(reference, problem)

    def put(self, reference: Reference, value: Secret) -> None:
        """Write a value into the file that has it, or could have: the first one that is there."""
        self._write(reference, lambda data, keys, path, js: sops_write.put(data, keys, path, value, is_json=js))

    def delete(self, reference: Reference) -> None:
        """Remove a value."""
        self._write(reference, lambda data, keys, path, js: sops_write.remove(data, keys, path, is_json=js))

    def _write(self, reference: Reference, edit: Callable[[bytes, list[Secret], list[str], bool], bytes]) -> None:
        """Put the edited file in place: whole, on disk, and with nobody else's change lost."""
        found = self._find(reference, reads=False)
        if isinstance(found, Problem):
            raise Unavailable(reference, found)
        identities = self._identities()
        if isinstance(identities, Problem) or not identities:
            problem = identities if isinstance(identities, Problem) else _no_identity(found[0], found[1])
            raise Unavailable(reference, problem)
        file, _, path = found
        file = file.resolve()
        with alone(file.parent):
            try:
                made = edit(file.read_bytes(), identities, path.split("."), file.suffix == ".json")
            except SopsError as error:
                raise Unavailable(reference, Problem("SYN803", f"{file.name}: {error}")) from None
            except OSError as error:
                raise Unavailable(reference, Problem("SYN802", f"{file.name}: {error.strerror}")) from None
            _replace(reference, file, made)

    # --- where the value is ------------------------------------------------------------------------------------------

    def _find(self, reference: Reference, *, reads: bool = True) -> tuple[Path, bytes, str] | Problem:
        """Return the file that has the key, its bytes, and the path in it; to write, else the first that is there."""
        if PurePosixPath(reference.key).suffix in _ENDINGS:
            candidates, path = [reference.key], reference.path
        else:
            candidates = list(self._places())
            path = f"{reference.key}.{reference.path}" if reference.path else reference.key
        problem = Problem("SYN801", f"there is no {' or '.join(candidates)}", "Make it with `sops edit`.")
        first: tuple[Path, bytes, str] | None = None
        for candidate in candidates:
            data = self._read(candidate)
            if data is None:
                continue
            if isinstance(data, Problem):
                return data
            file = self._context.root / candidate
            found = _look(file, data, path)
            if not isinstance(found, Problem):
                return file, data, path
            problem, first = found, first or (file, data, path)
        return problem if reads or first is None or not path else first

    def _places(self) -> Iterator[str]:
        tenant = self._context.tenant
        if tenant and "/" not in tenant and not tenant.startswith("."):
            yield from (f"secrets/{tenant}.sops{ending}" for ending in _ENDINGS)
        yield from (f"secrets.sops{ending}" for ending in _ENDINGS)

    def _read(self, name: str) -> bytes | Problem | None:
        """Return a file under the root; None when there is none."""
        root = self._context.root
        try:
            target = (root / name).resolve(strict=True)
            if not target.is_relative_to(root.resolve(strict=True)):
                return Problem("SYN802", f"{name} leads out of the repository")
            if is_reserved(target, root.resolve(), self._context.home):
                return Problem("SYN218", f"{name} is in a reserved folder", "Refer to a file outside of it.")
            with target.open("rb") as file:
                data = file.read(MAX_SIZE + 1)
        except FileNotFoundError:
            return None
        except (OSError, RuntimeError, ValueError):
            return Problem("SYN802", f"{name} cannot be read")
        return data

    # --- the key -----------------------------------------------------------------------------------------------------

    def _identities(self) -> list[Secret] | Problem:
        environ = self._context.environ
        for variable in ("SYNCLINE_AGE_KEY", "SOPS_AGE_KEY"):
            if environ.get(variable):
                return _identities(environ[variable])
        if environ.get("SOPS_AGE_KEY_FILE"):
            file = Path(environ["SOPS_AGE_KEY_FILE"])
        elif home := environ.get("XDG_CONFIG_HOME") or (environ.get("HOME") and f"{environ['HOME']}/.config"):
            file = Path(home) / "sops" / "age" / "keys.txt"
        else:
            return []
        try:
            with file.open("rb") as opened:
                return _identities(opened.read(MAX_SIZE).decode())
        except FileNotFoundError:
            if environ.get("SOPS_AGE_KEY_FILE"):
                return Problem("SYN803", f"SOPS_AGE_KEY_FILE names {file}, which does not exist")
            return []
        except (OSError, UnicodeDecodeError):
            return Problem("SYN803", f"the age identities in {file} cannot be read")


def _replace(reference: Reference, file: Path, data: bytes) -> None:
    draft = file.with_name(f".{file.name}.new")
    try:
        draft.unlink(missing_ok=True)  # of a process that died; whoever writes is alone
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            os.fchmod(opened.fileno(), file.stat().st_mode & 0o777)
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        draft.rename(file)
        sync_folder(file.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise Unavailable(reference, Problem("SYN802", f"{file.name} can't be written: {error.strerror}")) from None


def _identities(text: str) -> list[Secret]:
    """The identities in the text of a key file: one a line, with comments and blank lines."""
    return [Secret(line.strip()) for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def _look(file: Path, data: bytes, path: str) -> Secret | Problem:
    """Whether the file has a value at the path, by its names alone."""
    try:
        tree: SecretTree = sops.names(data, is_json=file.suffix == ".json")
    except SopsError as error:
        return Problem("SYN803", f"{file.name}: {error}")
    return pick(tree, path)


def _no_identity(file: Path, data: bytes) -> Problem:
    wanted = ", ".join(sops.recipients(data, is_json=file.suffix == ".json")) or "no age recipient"
    return Problem(
        "SYN803",
        f"{file.name} is encrypted for {wanted}, and no age identity is given",
        "Set SOPS_AGE_KEY or SOPS_AGE_KEY_FILE.",
    )
