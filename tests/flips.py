"""Bytes that somebody changed: each of them in turn, with one bit of it another one."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout

from syncline.audit import offline_verifier
from tests.sampling import stride


def flips(data: bytes, sample: int = 1, whole: int = 1) -> Iterator[tuple[int, bytes]]:
    """Each place with the data whose byte there is another one: every `sample`-th, or `whole`-th with
    `SYNCLINE_TEST_ALL=1`.

    The bit goes on with the place, so that all eight are changed, and of letters every other one has the other case:
    what is read without regard to case is what such tests find. A sample should be odd, or it meets half of the bits.
    """
    for at in range(0, len(data), stride(sample, whole)):
        bit = 5 if at % 2 and data[at : at + 1].isalpha() else at % 8
        yield at, data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]


def script(*arguments: object) -> tuple[int, str]:
    """The exit code of the auditor's script, run in this process, and what it says, from either stream."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = offline_verifier.main([str(argument) for argument in arguments])
    return code, said.getvalue().strip()


def refusal(*arguments: object) -> str:
    """What the script says that it refuses; an error where it verifies, or says it as no person would understand it."""
    code, said = script(*arguments)
    assert code == 1, said
    assert said.startswith("NOT VERIFIED: "), said
    assert "\n" not in said
    assert len(said) > len("NOT VERIFIED: ") + 10
    assert not any(name in said for name in ("KeyError", "IndexError", "TypeError", "AttributeError")), said
    return said
