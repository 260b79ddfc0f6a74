"""Tests of `syncline reveal`: tokens that a run wrote are turned back, and that leaves evidence."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest


@pytest.fixture
def tokenised(repository, shell):
    """The example repository after a run that tokenises e-mail addresses; gives the tokens."""
    mapping = repository / "mappings" / "customer.yaml"
    text = mapping.read_text()
    line = next(line for line in text.splitlines() if "to: email" in line)
    mapping.write_text(text.replace(line, line.rstrip("}") + ", protect: {tokenize: tenant}}"))
    applied = shell("apply", "--yes")
    assert applied.code == 0, applied.err
    ended = shell("run", "Import/customers")
    assert ended.code in {0, 4}, ended.err
    (path,) = repository.glob("**/acme.db")
    with closing(sqlite3.connect(path)) as database:
        return [token for (token,) in database.execute("SELECT email FROM customers WHERE email IS NOT NULL")]


def test_what_a_run_tokenised_is_turned_back_and_told_in_the_log(tokenised, shell):
    """Tokens say nothing of addresses; the tenant's key turns them back; the log has who asked for how many."""
    assert tokenised
    assert not any("@" in token for token in tokenised)

    ended = shell("reveal", "--tenant", "acme", *tokenised)
    by_lines = shell("reveal", "--tenant", "acme", stdin="\n".join(tokenised) + "\n")

    assert ended.code == 0
    assert all("@" in line for line in ended.out.splitlines())
    assert by_lines.out == ended.out
    assert shell("audit", "show", "--action", "value.reveal").out.count("value.reveal") == 2


def test_what_is_no_token_is_refused(tokenised, shell):
    """A changed token, and a tenant without a key, are told as such."""
    changed = shell("reveal", "--tenant", "acme", tokenised[0][:-3])
    nobody = shell("reveal", "--tenant", "globex", tokenised[0])

    assert (changed.code, nobody.code) == (1, 1)
    assert "SYN811" in changed.err
    assert "tenant 'globex' has no key" in nobody.err
