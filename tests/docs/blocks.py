"""Reads the fenced blocks of a Markdown page and does what they say, in one shell, in one folder.

A reader of the pages, and this, understand four kinds of block; every other one is left alone:

    ```console                    commands after `$ `, each followed by what it prints
    ```yaml file=mappings/x.yaml  the content of a file (any language)
    ```diff file=mappings/x.yaml  a change of a file: the lines without `+` become the lines without `-`
    ```yaml fragment              a part of a manifest, to be read only

What a command prints is compared after masking what differs each time (see `masked`), and a line `…` stands for any
lines. Ids of runs that a page shows stand for those of this run, in later commands too. A command may only fail where
the page then asks for `$ echo $?`. Pages in `how-to` begin in the repository of `house.py`, others in an empty folder.

`python -m tests.docs.blocks docs/tutorial.md` writes what the commands print now into the page, where it differs.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import Self

from tests.docs.house import house

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

_FENCE = re.compile(r"^```(?P<info>\S.*?)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_RUN = re.compile(r"\b\d{8}T\d{6}-[0-9a-f]{6}\b")
#: The port that pages use for an API of their own; the test takes a free one.
_PORT = "8765"
#: Seconds that a command may take.
_PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, the other words of its first line, its text, and where in the page that begins."""

    language: str
    words: tuple[str, ...]
    text: str
    line: int
    start: int

    @property
    def file(self) -> str:
        """The file that it is about; empty when it is about none."""
        return next((word.removeprefix("file=") for word in self.words if word.startswith("file=")), "")


@dataclass(frozen=True, slots=True)
class Command:
    """A command line, what the page says that it prints, and where in its block that begins."""

    line: str
    output: str
    start: int


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    for match in _FENCE.finditer(page):
        language, *words = match["info"].split()
        yield Block(language, tuple(words), match["text"], page.count("\n", 0, match.start()) + 1, match.start("text"))


def commands(text: str) -> list[Command]:
    """The commands of a console block; a line that ends with a backslash goes on."""
    found = re.finditer(r"^\$ (?P<line>(?:.*\\\n)*.*)\n(?P<output>(?:(?!\$ ).*\n)*)", text, re.MULTILINE)
    return [Command(match["line"], match["output"], match.start("output")) for match in found]


_MASKS = (
    (_RUN, "<run>"),
    (re.compile(r"^( +cursor +)\S.*", re.MULTILINE), r"\1<position>"),  # it is the source's own affair
    (re.compile(r"\brun \d{3,8}(T[0-9a-f-]*)?…"), "run <run>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b"), "<time>"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r"<uuid>\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+"), "<key>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{12}\b"), "<digest>"),
    (re.compile(r"(?<![\w+/])[A-Za-z0-9+/]{43}=(?!\w)"), "<hash>"),
    (re.compile(r"\bage1[a-z0-9]{58}\b"), "<recipient>"),
    (re.compile(r"\b(\d+ min )?\d+(\.\d+)? ?(ms|s)\b"), "<duration>"),
)


def masked(text: str) -> str:
    """A text without what differs each time: ids of runs, times, digests, keys, durations, spaces at ends of lines."""
    for pattern, name in _MASKS:
        text = pattern.sub(name, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def fits(expected: str, actual: str) -> bool:
    """Whether a command printed what the page says."""
    parts = re.split(r"^…$", masked(expected), flags=re.MULTILINE)
    return re.fullmatch(r".*".join(re.escape(part) for part in parts), masked(actual), re.DOTALL) is not None


def edited(content: str, change: str) -> str:
    """A text after a change; ValueError when the lines to be changed aren't in it exactly once."""
    lines = change.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in " -")
    after = "".join(line[1:] for line in lines if line[0] in " +")
    if content.count(before) != 1:
        raise ValueError(f"the file has {content.count(before)} times:\n{before}")
    return content.replace(before, after)


class Shell:
    """A bash in a folder: commands go in one by one, output and exit status come back."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, command: str) -> tuple[str, int]:
        """What a command prints, on both outputs, and its exit status."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        alarm = Timer(_PATIENCE, self._process.kill)
        alarm.start()
        ending = "\n__status=$?; printf '\\036%s\\n' $__status; (exit $__status)\n"
        self._process.stdin.write(command + ending)
        self._process.stdin.flush()
        printed = []
        for line in self._process.stdout:
            before, mark, status = line.partition("\x1e")
            printed.append(before)
            if mark:
                alarm.cancel()
                return "".join(printed), int(status)
        raise RuntimeError(f"the shell ended in: {command}")

    def where(self) -> Path:
        """Its current folder."""
        return Path(self.run("pwd")[0].strip())

    def close(self) -> None:
        """Ends it, with what it started in the background."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Difference:
    """A command that did something else than its page says; `start` is where in the page its output begins."""

    place: str
    start: int
    command: Command
    printed: str
    status: int

    def __str__(self) -> str:
        return (
            f"{self.place}: $ {self.command.line}\n(exit status {self.status})\n"
            f"--- the page says\n{self.command.output}--- it prints\n{self.printed}"
        )


@dataclass(slots=True)
class Reading:
    """A page being followed: `names` maps what the page shows to what stands for it here."""

    page: Path
    shell: Shell
    names: dict[str, str] = field(default_factory=dict)

    def follow(self) -> Iterator[Difference]:
        """Does everything that the page says, and yields what differs."""
        for block in blocks(self.page.read_text(encoding="utf-8")):
            if block.language == "console":
                yield from self._console(block)
            elif block.file:
                self._write(block)

    def here(self, text: str) -> str:
        """A text of the page, with what stands here for what it shows."""
        for shown, actual in self.names.items():
            text = text.replace(shown, actual)
        return text

    def there(self, text: str) -> str:
        """A text of this run, as the page would show it."""
        for shown, actual in self.names.items():
            text = text.replace(actual, shown)
        return text

    def _console(self, block: Block) -> Iterator[Difference]:
        found = commands(block.text)
        for index, command in enumerate(found):
            printed, status = self.shell.run(self.here(command.line))
            self.names.update(zip(_RUN.findall(command.output), _RUN.findall(printed), strict=False))
            may_fail = index + 1 < len(found) and found[index + 1].line == "echo $?"
            if not fits(self.here(command.output), printed) or (status and not may_fail):
                start = block.start + command.start
                yield Difference(f"{self.page.name}:{block.line}", start, command, self.there(printed), status)

    def _write(self, block: Block) -> None:
        path = self.shell.where() / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        text = self.here(block.text)
        try:
            path.write_text(edited(path.read_text(), text) if block.language == "diff" else text, encoding="utf-8")
        except ValueError as error:
            raise ValueError(f"{self.page.name}:{block.line}: {block.file}: {error}") from error


def environment(folder: Path) -> dict[str, str]:
    """Variables for following a page: nothing of this machine's settings, our commands first on the path."""
    programs = f"{HERE / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    person = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in _ADA.items()}
    plain = {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "GIT_CONFIG_NOSYSTEM": "1", "SYNCLINE_ACTOR": "ada"}
    return {"PATH": programs, "HOME": str(folder), **plain, **person}


_ADA = {"NAME": "Ada", "EMAIL": "ada@acme.example"}


def free_port() -> str:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def differences(page: Path, folder: Path, names: Mapping[str, str] | None = None) -> list[Difference]:
    """Follows a page in a folder, and returns what differs. `names` maps what it shows to what stands for it here."""
    with Shell(folder, environment(folder)) as shell:
        return list(Reading(page, shell, {_PORT: free_port(), **(names or {})}).follow())


def renew(page: Path) -> None:
    """Writes what the commands of a page print now into it, where it differs."""
    if "db.example.com" in page.read_text(encoding="utf-8"):
        sys.exit(f"{page} needs a server, which its test has: change it by hand")
    with tempfile.TemporaryDirectory() as folder:
        if page.parent.name == "how-to":
            house(Path(folder))
        found = differences(page, Path(folder))
    text = page.read_text(encoding="utf-8")
    for difference in reversed(found):
        end = difference.start + len(difference.command.output)
        text = text[: difference.start] + difference.printed + text[end:]
        sys.stdout.write(f"{difference.place}: {difference.command.line} ({difference.status})\n")
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        renew(Path(name))
