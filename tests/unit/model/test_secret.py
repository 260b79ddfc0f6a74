from __future__ import annotations

import copy
import dataclasses
import functools
import io
import json
import logging
import marshal
import pickle
import pprint
import traceback
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
import pydantic
import pytest
import yaml

from syncline.model.secret import Secret, redact

CANARY = "canary-5f2b1c"


@dataclasses.dataclass(frozen=True)
class Holder:
    """Something that carries a secret among other things."""

    name: str
    secret: Secret


def _traceback() -> str:
    """A traceback with the local variables of every frame, as crash reporters make it."""

    def inner(secret: Secret) -> None:
        held = {"password": secret, "list": [secret], "holder": Holder("x", secret)}
        raise RuntimeError(f"failed with {secret} {held}")

    try:
        inner(Secret(CANARY))
    except RuntimeError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    raise AssertionError


def _logged() -> str:
    stream = io.StringIO()
    logger = logging.Logger("test")  # noqa: LOG001 - no other test shall see it
    logger.addHandler(logging.StreamHandler(stream))
    logger.warning("password %s %r %s", Secret(CANARY), Secret(CANARY), {"a": Secret(CANARY)})
    return stream.getvalue()


def _pretty() -> str:
    return pprint.pformat(Holder("x", Secret(CANARY))) + pprint.pformat({"a": [Secret(CANARY)]})


PRINTED: dict[str, Callable[[], str]] = {
    "repr": lambda: repr(Secret(CANARY)),
    "str": lambda: str(Secret(CANARY)),
    "format": lambda: format(Secret(CANARY), ">12"),
    "f-string": lambda: (
        f"{Secret(CANARY)} {Secret(CANARY)!r} {Secret(CANARY)!s} {Secret(CANARY)!a} {Secret(CANARY):.3}"
    ),
    "percent": lambda: "%s %r %5s" % (Secret(CANARY), Secret(CANARY), Secret(CANARY)),  # noqa: UP031 - that is the case
    "container": lambda: repr([Secret(CANARY), {"a": Secret(CANARY)}, Holder("x", Secret(CANARY))]),
    "pprint": _pretty,
    "logging": _logged,
    "traceback with locals": _traceback,
    "dir": lambda: repr([(name, getattr(Secret(CANARY), name, None)) for name in dir(Secret(CANARY))]),
}


@pytest.mark.parametrize("how", PRINTED)
def test_a_secret_is_never_printed(how: str):
    """Whatever turns it into text shows stars instead."""
    text = PRINTED[how]()

    assert CANARY not in text
    assert "*" in text or how == "dir"


def _pickle(protocol: int, secret: Secret) -> bytes:
    return pickle.dumps(secret, protocol)


REFUSED: dict[str, Callable[[Any], object]] = {
    **{f"pickle {protocol}": functools.partial(_pickle, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)},
    "pickle inside": lambda s: pickle.dumps({"a": [s]}),
    "deepcopy": copy.deepcopy,
    "deepcopy inside": lambda s: copy.deepcopy({"a": [s]}),
    "asdict": lambda s: dataclasses.asdict(Holder("x", s)),
    "astuple": lambda s: dataclasses.astuple(Holder("x", s)),
    "json": json.dumps,
    "json inside": lambda s: json.dumps({"a": [s]}),
    "json vars": lambda s: json.dumps(s, default=vars),
    "orjson": orjson.dumps,
    "orjson inside": lambda s: orjson.dumps(Holder("x", s)),
    "msgspec json": msgspec.json.encode,
    "msgspec msgpack": lambda s: msgspec.msgpack.encode(Holder("x", s)),
    "msgspec builtins": msgspec.to_builtins,
    "yaml": yaml.safe_dump,
    "yaml with objects": yaml.dump,
    "marshal": marshal.dumps,
    "pydantic field": lambda _: pydantic.create_model("M", secret=(Secret, ...)),
    "pydantic adapter": lambda _: pydantic.TypeAdapter(Secret),
    "pydantic dump": lambda s: pydantic.TypeAdapter(object).dump_json(s),
    "hash": hash,
    "set": lambda s: {s},
    "vars": vars,
    "iterate": list,
    "bytes": bytes,
    "len": len,
    "order": lambda s: s < Secret("x"),
    "add": lambda s: s + "",
}


@pytest.mark.parametrize("how", REFUSED)
def test_a_secret_is_never_serialised(how: str):
    """Whatever would write it out, measure it or take it apart raises, and the error does not show it."""
    with pytest.raises(
        (TypeError, ValueError, yaml.YAMLError, pydantic.PydanticUserError, pydantic.ValidationError)
    ) as caught:
        REFUSED[how](Secret(CANARY))

    # pydantic keeps this module's globals in a local variable, and CANARY is one of them.
    with_locals = not how.startswith("pydantic")
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=with_locals)
    assert CANARY not in "".join(shown.format())


def test_what_was_hidden_comes_out_by_reveal_only():
    """`reveal` gives the value; there is no attribute that holds it."""
    secret = Secret(CANARY)

    assert secret.reveal() == CANARY
    assert not hasattr(secret, "__dict__")
    assert CANARY not in [getattr(secret, name, None) for name in dir(secret)]


def test_a_secret_cannot_be_changed():
    """Neither an attribute nor the value can be set or deleted."""
    secret = Secret(CANARY)
    for name in ("value", "_Secret__reveal", "reveal"):
        with pytest.raises(AttributeError):
            setattr(secret, name, "x")
        with pytest.raises(AttributeError):
            delattr(secret, name)


def test_secrets_compare_by_value_and_only_with_secrets():
    """Equal values are equal secrets; a secret never equals plain text; text outside UTF-8 compares too."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert Secret("\udcff") == Secret("\udcff")
    assert Secret("žluť") != Secret("zlut")
    assert copy.copy(held := Secret("a")) is held
    assert bool(Secret("a"))
    assert not Secret("")


def test_only_text_is_a_secret():
    """Another type is refused without being shown, not even among the local variables of the constructor."""
    with pytest.raises(TypeError) as caught:
        Secret(CANARY.encode())  # type: ignore[arg-type]  # the wrong type is the point

    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    assert CANARY not in str(frames[-1].locals)
    assert CANARY not in str(caught.value)


def test_redaction_removes_every_occurrence():
    """Longer secrets go first, so that one inside another leaves nothing; very short ones are left alone."""
    secrets = [Secret("hunter2"), Secret("hunter2-prod"), Secret("ab"), Secret("")]

    assert redact("pw=hunter2-prod and hunter2, ab", secrets) == "pw=*** and ***, ab"


@pytest.mark.parametrize(
    "quoted",
    [
        'p"a/ß&<\\',
        'p\\"a/\\u00df&<\\\\',
        'p\\"a/ß&<\\\\',
        'p\\"a\\/\\u00df&<\\\\',
        "p&quot;a/ß&amp;&lt;\\",
        'p"a/ß&amp;&lt;\\',
        "p%22a%2F%C3%9F%26%3C%5C",
        "p%22a/%C3%9F%26%3C%5C",
        "p%22a%2f%c3%9f%26%3c%5c",
    ],
)
def test_redaction_removes_what_documents_quote(quoted: str):
    """A value is found as JSON, HTML and URLs have it, which is how a server sends back what it was sent."""
    assert redact(f"<{quoted}>", [Secret('p"a/ß&<\\')]) == "<***>"


def test_redaction_takes_a_value_that_is_no_text():
    """A variable of the environment may hold bytes that aren't UTF-8."""
    assert redact("a \udc80bc d", [Secret("\udc80bc ")]) == "a ***d"
