"""The list of commands: complete, helped, and cheap to start."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from syncline import __version__
from syncline.cli.commands.table import ENTRIES
from syncline.cli.main import cli


def walk(command: click.Command, path: str = "syncline"):
    """Every command with its path."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from walk(child, f"{path} {name}")


COMMANDS = dict(walk(cli))


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_help(path):
    """A command says what it does, in a line for lists and at length; so does every option."""
    command = COMMANDS[path]
    silent = [p.name for p in command.params if isinstance(p, click.Option) and not p.help and p.name != "help"]

    assert command.help
    assert command.help.strip().split("\n")[0]
    assert not silent
    if path != "syncline":
        assert command.short_help
        assert command.short_help.endswith(".")


@pytest.mark.parametrize("path", COMMANDS)
def test_help_is_shown(path, shell):
    """`--help` of every command ends well and names its usage."""
    ended = shell(*path.split()[1:], "--help")

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"Usage: {path}")


def test_names_are_unique():
    """No two entries have a name, and each has the name of its command."""
    names = [entry.name for entry in ENTRIES]

    assert len(names) == len(set(names))
    assert [entry.load().name for entry in ENTRIES] == names


def test_version(shell):
    """`--version` says the version and nothing else."""
    assert shell("--version").out == f"syncline {__version__}\n"


def test_unknown_command(shell):
    """A misspelt command is a usage error that names the nearest."""
    ended = shell("validte")

    assert ended.code == 2
    assert "Did you mean 'validate'?" in ended.err


def loaded(*args: str) -> set[str]:
    """The modules that are imported once a command line has run in a process of its own."""
    code = (
        "import sys\nfrom syncline.cli.main import main\n"
        "code = main(sys.argv[1:])\nprint('\\n' + '\\0'.join(sys.modules))\nsys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, check=True, timeout=300)
    return set(done.stdout.rsplit("\n", 2)[1].split("\0"))


HEAVY = {"polars", "pyarrow", "sqlalchemy", "httpx", "psycopg", "cryptography", "rich", "git", "alembic", "ruamel.yaml"}


def test_help_loads_nothing_heavy():
    """`--help` imports neither models, nor what runs are, nor any big library."""
    assert not loaded("--help") & {*HEAVY, "pydantic", "syncline.model.run", "syncline.workflow"}


def test_validate_loads_nothing_heavy(repository):
    """`validate` of a repository without mapping tests imports no library for data, databases, the web or terminals."""
    mapping = repository / "mappings" / "customer.yaml"
    mapping.write_text(mapping.read_text().partition("  tests:")[0], encoding="utf-8")

    assert not loaded("validate") & (HEAVY - {"rich"})


def test_validate_loads_kinds_that_are_declared(repository):
    """`validate` imports the fields of no kind of which nothing is declared."""
    others = {f"syncline.kinds.{name}" for name in ("auth", "schedule", "source", "subscription")}

    assert not loaded("validate") & others


def test_a_run_loads_what_it_needs(repository, shell):
    """
    A run imports the fields of no kind that has no part in it; and none of Arrow's functions, which takes longer than
    a small file does to be read, although the file has letters beyond ASCII.
    """
    shell("apply", "--yes")
    assert not (repository / "data" / "customers.csv").read_bytes().isascii()
    others = {f"syncline.kinds.{name}" for name in ("auth", "schedule", "source", "subscription")}

    assert not loaded("run", "Import/customers") & {*others, "pyarrow.compute", "alembic", "jinja2"}


def test_plain_templates_need_no_template_engine():
    """Text with named values is rendered without Jinja, which is imported for what is more than that."""
    for text, loaded in (("/a/{{ config.b }}?c={{ start }}", False), ("{{ config.b | upper }}", True)):
        code = (
            "import sys; from syncline.sdk.template import compile_template\n"
            f"compile_template({text!r}).render({{'config': {{'b': 'x'}}, 'start': 1}}); print('jinja2' in sys.modules)"
        )
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert ended.stdout.strip() == str(loaded)


def test_json_of_an_api_needs_no_arrow():
    """What reads an API whose answers are JSON imports nothing of Arrow, which takes longer than a small sync."""
    code = "import sys, syncline.connectors.rest.reading.source; print('pyarrow.lib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)

    assert done.stdout.strip() == "False"
