"""Tests open many states in a process; what the first of them compiled is there for the others."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, select

from syncline.state.tables import runs
from tests.compiled_statements import compiled_once

STATEMENT = select(runs.c.id).where(runs.c.tenant == "acme")


@pytest.fixture
def opened(postgres_url):
    """Engines, each new; the PostgreSQL ones may say that their server is of another version."""
    made = []

    def make(sort, version=None):
        engine = create_engine("sqlite://" if sort == "sqlite" else postgres_url.replace("://", "+psycopg://", 1))
        made.append(engine)
        engine.connect().close()
        if version:
            engine.dialect.server_version_info = version
        return engine

    yield make
    for engine in made:
        engine.dispose()


def compiled(engine):
    """What the engine would execute for the statement."""
    return STATEMENT._compile_w_cache(engine.dialect, compiled_cache=engine._compiled_cache, column_keys=[])[0]


@pytest.mark.parametrize("sort", ["sqlite", "postgresql"])
def test_a_statement_is_compiled_once(opened, sort):
    """The second engine of a sort executes what the first has compiled."""
    with compiled_once():
        assert compiled(opened(sort)) is compiled(opened(sort))


def test_what_differs_is_compiled_for_itself(opened):
    """Another sort of database, or another version of one, gets statements of its own."""
    with compiled_once():
        of = [compiled(opened("sqlite")), compiled(opened("postgresql")), compiled(opened("postgresql", (9, 6)))]
    assert len({id(one) for one in of}) == 3


def test_each_block_begins_with_nothing(opened):
    """What was compiled in one block isn't there in the next."""
    with compiled_once():
        first = compiled(opened("sqlite"))
    with compiled_once():
        assert compiled(opened("sqlite")) is not first
