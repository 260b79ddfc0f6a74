"""PostGraphile: GraphQL over a PostgreSQL database, with connections, cursors, mutations and errors in a 200."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from tests.peers.install import node_modules, program
from tests.peers.process import free_port, running
from tests.peers.web import ask
from tests.servers import postgres_database

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Postgraphile:
    """A running PostGraphile: `url` is the GraphQL endpoint, `database` what it shows the schema `public` of."""

    url: str
    database: str

    def query(self, text: str, **variables: Any) -> Any:
        """The answer to a GraphQL query or mutation."""
        return ask("POST", self.url, {"query": text, "variables": variables}).ok()


def install() -> Path:
    """The folder of its packages."""
    return node_modules("postgraphile", "postgraphile@4.14.1")


@contextmanager
def postgraphile(folder: Path, server: str, sql: str) -> Iterator[Postgraphile]:
    """A PostGraphile over a new database of a PostgreSQL server, which the SQL has filled."""
    with postgres_database(server) as database:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(sql.encode())
        port = free_port()
        url = f"http://127.0.0.1:{port}/graphql"
        command = [program("node"), install() / "postgraphile" / "cli.js", "-c", database, "-n", "127.0.0.1"]

        def ready() -> bool:
            try:
                return ask("POST", url, {"query": "{ __typename }"}).status == 200
            except OSError:
                return False

        with running([*command, "-p", str(port), "--disable-query-log"], folder, ready):
            yield Postgraphile(url, database)
