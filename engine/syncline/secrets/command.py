"""Secrets that a program prints, from a list that the operator keeps: a manifest names an entry, never a program.

`SYNCLINE_SECRET_COMMANDS` is a JSON file, which no other may write: `{"pass": ["/usr/bin/pass", "show", "{key}"]}`.
`key` is NAME or NAME/ARGUMENT; the argument takes the place of `{key}`, as one argument, without a shell. It gets ten
seconds, 64 KiB of output, and an environment of PATH, HOME and LANG; its first line is the secret.
"""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Final

from syncline.model.secret import Secret
from syncline.secrets.contract import Context, Problem, Reference, Unavailable
from syncline.secrets.parts import parse_json, pick

LIST: Final = "SYNCLINE_SECRET_COMMANDS"
SECONDS: Final = 10.0
MAX_OUTPUT: Final = 64 * 1024
_ARGUMENT = re.compile(r"[A-Za-z0-9_@%+=:,./][A-Za-z0-9_@%+=:,./ -]{0,255}")  # never an option
_HELP: Final = f"The operator lists programs in the file that {LIST} names."


class CommandProvider:
    """`{provider: exec, key: pass/crm/token}`."""

    name: ClassVar[str] = "exec"

    def __init__(self, context: Context) -> None:
        self._environ = context.environ

    def check(self, reference: Reference) -> Problem | None:
        """Say why no program of the list fits. It isn't run."""
        found = self._command(reference)
        return found if isinstance(found, Problem) else None

    def get(self, reference: Reference) -> Secret:
        """Run the program, and return what it prints."""
        found = self._command(reference)
        output = found if isinstance(found, Problem) else self._run(found)
        if isinstance(output, Secret) and reference.path:
            tree = parse_json(output)
            output = tree if isinstance(tree, Problem) else pick(tree, reference.path)
        elif isinstance(output, Secret):
            output = Secret(output.reveal().partition("\n")[0].removesuffix("\r"))
        if isinstance(output, Secret) and not output:
            output = Problem("SYN801", "the program printed nothing")
        if isinstance(output, Problem):
            raise Unavailable(reference, output)
        return output

    def _command(self, reference: Reference) -> list[str] | Problem:
        commands = self._list()
        if isinstance(commands, Problem):
            return commands
        name, _, argument = reference.key.partition("/")
        command = commands.get(name)
        if command is None:
            return Problem("SYN826", f"no program is listed as {name!r}", _HELP)
        takes = any("{key}" in part for part in command)
        if takes != bool(argument):
            return Problem("SYN804", f"{name} takes {'an' if takes else 'no'} argument: NAME{'/ARGUMENT' * takes}")
        if argument and (not _ARGUMENT.fullmatch(argument) or ".." in argument.split("/")):
            return Problem("SYN804", "the argument has characters that aren't passed on")
        return [part.replace("{key}", argument) for part in command]

    def _list(self) -> dict[str, list[str]] | Problem:
        file = self._environ.get(LIST)
        if not file:
            return Problem("SYN826", f"{LIST} is not set, so no program may be run", _HELP)
        try:
            with Path(file).open("rb") as opened:
                status, data = os.fstat(opened.fileno()), opened.read(MAX_OUTPUT)
            document = json.loads(data)
        except (OSError, ValueError):
            return Problem("SYN826", f"the list {file} can't be read as JSON", _HELP)
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or status.st_uid not in {0, os.geteuid()}:
            return Problem("SYN826", f"the list {file} can be written by others", f"chmod go-w {file}")
        if not isinstance(document, dict) or not all(map(_is_command, document.values())):
            return Problem("SYN826", f"the list {file} must give each name a program by its full path, and arguments")
        return document

    def _run(self, command: list[str]) -> Secret | Problem:
        """Run it. Nothing is raised: a traceback would show the local variables."""
        environ = {name: self._environ[name] for name in ("PATH", "HOME", "LANG") if name in self._environ}
        try:
            process = subprocess.Popen(
                command,
                env=environ,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            return Problem("SYN827", f"{command[0]} can't be run: {error.strerror}")
        with process:
            output = _bounded(process)
            with suppress(ProcessLookupError):  # with whatever it started
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        if isinstance(output, Problem):
            return output
        if code not in {0, -signal.SIGKILL}:
            return Problem("SYN827", f"{command[0]} failed (exit code {code})", "Run it by hand to see what it says.")
        try:
            return Secret(output.decode())
        except UnicodeDecodeError:
            return Problem("SYN803", "it is not UTF-8 text")


def _bounded(process: subprocess.Popen[bytes]) -> bytes | Problem:
    """What a program prints until it ends, within its time and size."""
    import select
    import time

    assert process.stdout is not None
    end, output = time.monotonic() + SECONDS, b""
    while (left := end - time.monotonic()) > 0:
        if not select.select([process.stdout], [], [], left)[0]:
            break
        part = os.read(process.stdout.fileno(), MAX_OUTPUT + 1)
        if not part:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, end - time.monotonic()))
            return output
        output += part
        if len(output) > MAX_OUTPUT:
            return Problem("SYN827", f"it printed more than {MAX_OUTPUT} bytes")
    return Problem("SYN827", f"it wasn't done within {SECONDS:g} s")


def _is_command(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(part, str) for part in value)
        and Path(value[0]).is_absolute()
    )
