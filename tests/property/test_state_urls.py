"""Whatever is given for the state's URL: it opens, or what is wrong is said; it is never taken for a defect."""

from __future__ import annotations

import re
import tempfile
from contextlib import chdir

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syncline.model.errors import Again, Bug, Invalid, Stalled, SynclineError
from syncline.state.open import open_reader, open_store

#: Nobody listens there, so that no test waits. A host can't be a parameter then.
_HERE = "127.0.0.1:1"
_NAMES = ("schema", "sslmode", "connect_timeout", "options", "application_name", "user", "target_session_attrs", "Port")
_TEXT = st.text(max_size=12)
_PARAMETERS = st.lists(st.tuples(st.sampled_from(_NAMES) | _TEXT, _TEXT), max_size=3)


def _opened(url: str) -> list[SynclineError]:
    """What opening it says, both ways, in an empty folder."""
    said = []
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        for opener in (open_store, open_reader):
            try:
                opener(url).close()
            except SynclineError as error:
                said.append(error)
    return said


@given(st.builds("{}{}".format, st.sampled_from(["", "sqlite:///", "sqlite:", "mysql://", "POSTGRES://"]), _TEXT))
@example("sqlite:///" + "a" * 300)
@example("sqlite:///\udcff")
@example("sqlite:///a\0b")
def test_a_file_or_what_is_no_url_is_opened_or_explained(url):
    """A path opens, or is one that the system refuses; anything else is no URL of a state."""
    if not url.removeprefix("sqlite:///").lstrip().startswith(("/", "..")):
        assert all(
            isinstance(error, Invalid | Stalled) and error.code in {"SYN614", "SYN617"} for error in _opened(url)
        )


@given(st.sampled_from(["", "u:zebra@", "u:pass@zebra@", "u:pass/zebra@"]), _TEXT, _PARAMETERS)
@example("", "state", [("schema", "x")])
@example("", "state", [("connect_timeout", "soon")])
@example("", "state", [("sslmode", "perhaps")])
@example("", "state", [("user", "a"), ("user", "b")])
@example("u:zebra@", "state", [("", "")])
def test_a_url_of_postgresql_is_never_a_defect(who, database, parameters):
    """Nobody answers, or what is wrong with the URL is said, without the password."""
    query = "&".join(f"{name}={value}" for name, value in parameters)
    url = f"postgresql://{who}{_HERE}/{database.replace('@', '')}" + (f"?{query}" if query else "")
    for error in _opened(url):
        assert isinstance(error, Again | Invalid | Stalled)
        assert not isinstance(error, Bug)
        assert error.code in {"SYN614", "SYN615", "SYN617"}
        assert "zebra" not in error.message


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://h/db?schema=x", "no parameter 'schema'.*always called syncline"),
        ("postgresql://h/db?ssl_mode=require", "no parameter 'ssl_mode'.*Did you mean sslmode"),
        ("postgresql://h/db?connect_timeout=soon", "'connect_timeout' isn't a whole number"),
        ("postgresql://h/db?user=a&user=b", "'user' is there more than once"),
        ("postgresql://h:70000/db", "its port isn't a number from 1 to 65535"),
        ("postgresql://user:canary", "its port isn't a number"),
        ("postgresql://one:5432,other:5432/db", r"its port isn't a number.*\?host=ONE,OTHER&port="),
        ("postgresql://user:can@ary@h/db", "an @ too many.*%40"),
        ("postgresql+psycopg://h/db", "begins with postgresql.psycopg.*postgresql://USER@HOST/DATABASE"),
        ("postgresql://h/db\n", "characters in it that are no text"),
    ],
)
def test_what_is_wrong_is_said(url, said):
    """A mistake in a URL is named, with what is expected in its place; a value in it is never repeated."""
    for error in (errors := _opened(url)):
        assert isinstance(error, Invalid)
        assert error.code == "SYN617"
        assert "canary" not in error.message

        assert re.search(said, f"{error.message} {error.help}", re.DOTALL)
    assert len(errors) == 2


def test_several_hosts_have_a_port_each():
    """A state whose server is one of several is looked for at each of them, as libpq does."""
    errors = _opened("postgresql:///state?host=127.0.0.1,127.0.0.1&port=1,2&target_session_attrs=read-write")
    assert [(type(error), error.code) for error in errors] == [(Again, "SYN615")] * 2
