"""
The parent of the warm processes of tests (see `tests/warm.py`), run as `python -m tests.warm_parent FD`: imports what the
program imports, then forks a process for each request at that socket until the other end is closed. It opens
nothing and uses no library, so that a fork of it is as good as a new process.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import re
import runpy
import socket
import sys
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

import syncline
from syncline.policy import cel

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PROGRAM = Path(syncline.__file__).parent
IMPORT = re.compile(r"^\s*(?:from|import) ([a-z_][\w.]+)", re.MULTILINE)


def modules() -> list[str]:
    """Every module of the program, and every one that it imports, at the top of a module or when it is needed."""
    found = set()
    for path in PROGRAM.rglob("*.py"):
        if "migrations" not in path.parts and path.name != "__main__.py":
            found.add(
                ".".join(("syncline", *path.relative_to(PROGRAM).with_suffix("").parts)).removesuffix(".__init__")
            )
            found.update(IMPORT.findall(path.read_text()))
    return sorted(found)


def prepare() -> None:
    """Imports all of it."""
    for name in modules():
        with suppress(ImportError):  # of another system, or prose that reads like an import
            if name != "cel":  # whose module may be loaded once, and is by `syncline.policy.cel`
                importlib.import_module(name)
    cel.Condition("true")
    for model in models(BaseModel):
        model.model_rebuild()
    gc.collect()
    gc.freeze()


def models(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Every model of the program: they are made at their first use, in each process anew otherwise."""
    for model in base.__subclasses__():
        yield from models(model)
        if model.__module__.startswith("syncline."):
            yield model


def forked(control: socket.socket) -> dict[str, Any] | None:
    """Answers requests with the ids of processes; returns in each of these with the request, and at the end with None."""
    while True:
        message, files, _, _ = socket.recv_fds(control, 1 << 20, 3)
        if not message:
            return None
        (told, tell), (gate, held) = os.pipe(), os.pipe()
        middle = fork()
        if middle == 0:
            process = fork()
            if process == 0:
                for usual, given in enumerate(files):
                    os.dup2(given, usual)
                for left in (*files, told, tell, held, control.detach()):
                    os.close(left)
                os.read(gate, 1)  # until the parent has closed its end
                os.close(gate)
                return dict(json.loads(message))
            os.write(tell, str(process).encode())
            os._exit(0)
        os.close(tell)
        os.waitpid(middle, 0)  # whose child is an orphan then, and goes to the process of the tests
        control.send(os.read(told, 64) or b"0")  # none, where the system has no room for another one
        for left in (*files, told, gate, held):
            os.close(left)


def fork() -> int:
    """`os.fork`, without Python's word about threads: polars has one that only cleans up."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def become(request: dict[str, Any]) -> None:
    """Makes this process what was asked for, and does what it is to do."""
    if request["session"]:
        os.setsid()
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environ"])
    option, what, *rest = request["arguments"]
    sys.argv[:] = [option, *rest]
    # The parent found its own module by `PYTHONPATH`; a process without it wouldn't.
    sys.modules.pop("tests", None)
    found = [place for place in sys.path[1:] if "PYTHONPATH" in os.environ or place != str(ROOT)]
    sys.path[:] = [request["folder"] if option == "-m" else "", *found]
    if option == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        main = sys.modules["__main__"] = ModuleType("__main__")
        code = compile(what, "<string>", "exec", dont_inherit=True)
        exec(code, main.__dict__)  # noqa: S102 - the code that `python -c` would be given


def end() -> None:
    """Ends the process in order, but doesn't take apart one by one the objects of all that was imported."""
    threading._shutdown()  # type: ignore[attr-defined]  # pools end first, then all threads are waited for
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    prepare()
    asked = None
    with suppress(KeyboardInterrupt):
        asked = forked(socket.socket(fileno=int(sys.argv[1])))
    if asked is not None:
        become(asked)
        end()
