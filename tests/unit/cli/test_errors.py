"""How commands fail: one message, the right exit code, never a traceback, never a secret."""

from __future__ import annotations

import signal

import pytest

from syncline import workflow
from syncline.cli.main import Terminated, main
from syncline.model.diagnostic import Diagnostic, Place
from syncline.model.errors import Again, Invalid


def fail_with(monkeypatch, error):
    """Makes `syncline get` end in an error."""

    def raising(_settings):
        raise error

    monkeypatch.setattr(workflow, "objects", raising)


def test_mistake(shell, repository, monkeypatch):
    """A mistake shows its findings, what to do and where to read more, and exits with 1."""
    finding = Diagnostic("SYN201", "unknown field 'frm'", Place("imports/customers.yaml", 3, 1, 3, 9))
    fail_with(monkeypatch, Invalid("it isn't valid", help="Fix it.", diagnostics=[finding]))

    ended = shell("get")

    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        "error[SYN201]: unknown field 'frm'\n"
        " --> imports/customers.yaml:3:1\n"
        "  |\n"
        "3 | kind: Import\n"
        "  | ^^^^^^^^\n"
        "\n"
        "error[SYN200]: it isn't valid\n"
        "  = help: Fix it.\n"
        "  = 1 finding above\n"
    )


def test_excerpts_are_of_the_root(shell, repository, monkeypatch, tmp_path):
    """Findings of an error are shown with excerpts also when the repository isn't the current folder."""
    monkeypatch.chdir(tmp_path)
    finding = Diagnostic("SYN201", "x", Place("imports/customers.yaml", 3, 1, 3, 5))
    fail_with(monkeypatch, Invalid("it isn't valid", diagnostics=[finding]))

    assert "3 | kind: Import" in shell("--root", repository, "get").err


def test_unreachable(shell, repository, monkeypatch):
    """What may work later exits with 5."""
    fail_with(monkeypatch, Again("the state can't be reached"))

    assert shell("get").code == 5


def test_defect_tells_no_secret(shell, repository, monkeypatch):
    """A defect is one line with its type, place and code; the error's own text, which may hold a secret, isn't in it."""
    fail_with(monkeypatch, RuntimeError("postgresql://ada:hunter2@db"))

    ended = shell("get")

    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("error[SYN999]: RuntimeError at syncline/cli/commands/get.py:")
    assert "SYNCLINE_DEBUG=1" in ended.err
    assert "hunter2" not in ended.err
    assert ended.err.count("\n") == 1


def test_defect_with_traceback(shell, repository, monkeypatch):
    """SYNCLINE_DEBUG shows the traceback."""
    monkeypatch.setenv("SYNCLINE_DEBUG", "1")
    fail_with(monkeypatch, RuntimeError("inner"))

    assert "Traceback (most recent call last)" in shell("get").err


@pytest.mark.parametrize(
    ("error", "code", "word"), [(KeyboardInterrupt(), 130, "Interrupted"), (Terminated(), 143, "Terminated")]
)
def test_signals(shell, repository, monkeypatch, error, code, word):
    """Ctrl-C and SIGTERM end with the shell's code for them, and say that a run resumes."""
    fail_with(monkeypatch, error)

    ended = shell("get")

    assert ended.code == code
    assert ended.err.startswith(f"{word}. Nothing is half-written")


def test_sigterm_is_raised_in_order():
    """SIGTERM raises like Ctrl-C, so that everything that is open is closed."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        main(["--version"])
        with pytest.raises(Terminated):
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_no_folder(shell, tmp_path):
    """A root that isn't there is a mistake with a help, not a defect."""
    ended = shell("--root", tmp_path / "absent", "validate")

    assert ended.code == 1
    assert "is not a folder" in ended.err
