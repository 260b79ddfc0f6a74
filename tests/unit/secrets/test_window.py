"""Replacing secrets, in files and in a keyring that others wrote."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from syncline.model.errors import Invalid, Stalled
from syncline.model.secret import Secret
from syncline.secrets.contract import Context, Reference
from syncline.secrets.file import FileProvider
from syncline.secrets.provider import resolve, writer
from syncline.secrets.window import accepted, finish, former, replace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["file", "keyring", "sops"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Reference, Context]]:
    """Where a secret can be written to: a file, the keyring of a file (keyrings.alt), or a SOPS file."""
    if request.param == "sops":
        generated = request.getfixturevalue("shared") / "vectors/sops/generated"
        shutil.copy(generated / "enc.yaml", tmp_path / "secrets.sops.yaml")
        environ = {"SOPS_AGE_KEY": (generated / "age-test-key.txt").read_text()}
        yield Reference("sops", "crm.token"), Context(tmp_path, environ)
        return
    if request.param == "keyring":
        import keyring
        from keyrings.alt.file import PlaintextKeyring

        backend = PlaintextKeyring()
        backend.file_path = str(tmp_path / "keyring.cfg")
        before = keyring.get_keyring()
        keyring.set_keyring(backend)
        yield Reference("keyring", "crm/robot"), Context(tmp_path, {})
        keyring.set_keyring(before)
    else:
        yield Reference("file", "token"), Context(tmp_path, {})


def values(reference: Reference, context: Context) -> list[str]:
    return [secret.reveal() for secret in accepted(reference, context)]


def test_both_values_count_until_the_window_ends(place):
    """First there is one, then both, the new one first, and after the end the new one alone."""
    reference, context = place
    with pytest.raises(Stalled) as caught:
        resolve(reference, context)
    assert caught.value.code == "SYN801"

    assert not replace(reference, Secret("one"), context)
    assert values(reference, context) == ["one"]
    assert replace(reference, Secret("two"), context)
    assert values(reference, context) == ["two", "one"]
    assert finish(reference, context)
    assert values(reference, context) == ["two"]
    assert not finish(reference, context)


def test_a_second_replacement_would_forget_the_first(place):
    """While a former value counts, another replacement is refused, and nothing changes."""
    reference, context = place
    for value in ("one", "two"):
        replace(reference, Secret(value), context)

    with pytest.raises(Invalid) as caught:
        replace(reference, Secret("three"), context)

    assert caught.value.code == "SYN829"
    assert values(reference, context) == ["two", "one"]


def test_a_replacement_that_was_killed_goes_on(place):
    """Killed when the former value was kept, and not yet replaced: what counted still does, and the next try ends it."""
    reference, context = place
    replace(reference, Secret("one"), context)
    writer(former(reference), context).put(former(reference), Secret("one"))

    assert values(reference, context) == ["one", "one"]
    assert replace(reference, Secret("two"), context)
    assert values(reference, context) == ["two", "one"]


def test_a_written_file_is_private_and_stays_inside(tmp_path: Path):
    """Mode 0600, no draft beside it, and no path that leads out, through a link, or into Git's folder."""
    context = Context(tmp_path / "root", {})
    (tmp_path / "root/.git").mkdir(parents=True)
    provider = FileProvider(context)
    provider.put(Reference("file", "token"), Secret("value"))

    assert (tmp_path / "root/token").stat().st_mode & 0o777 == 0o600
    assert [p.name for p in (tmp_path / "root").iterdir() if p.name != ".git"] == ["token"]
    (tmp_path / "root/link").symlink_to(tmp_path / "elsewhere")
    for key in ("../token", "link", ".git/config", "no/folder", "", "a\0b"):
        with pytest.raises(Stalled):
            provider.put(Reference("file", key), Secret("value"))
    assert not (tmp_path / "elsewhere").exists()
    assert not (tmp_path / "token").exists()


def test_what_can_only_be_read_is_refused(tmp_path: Path):
    """Variables and programs can't be written to, nor a part of a document, nor a SOPS file that isn't there."""
    context = Context(tmp_path, {"X": "1"})
    for reference in (
        Reference("env", "X"),
        Reference("sops", "a.b"),
        Reference("exec", "x"),
        Reference("file", "a", "b"),
    ):
        with pytest.raises((Invalid, Stalled)) as caught:
            replace(reference, Secret("new"), context)
        assert caught.value.code in {"SYN828", "SYN801"}


def test_a_field_of_vault_is_named_to_be_replaced():
    """Beside an only field without a name, a former value would make it unclear which one is meant: it is refused."""
    with pytest.raises(Invalid, match="which field") as caught:
        former(Reference("vault", "secret/acme/crm"))
    assert caught.value.code == "SYN828"


@pytest.mark.parametrize(
    "reference",
    [
        Reference("aws", "acme/crm", "token"),
        Reference("pkcs11", "syncline/crm", "token"),
        Reference("file", "token", "token"),
        Reference("vault", "secret/acme/crm", "db.password"),
    ],
)
def test_a_part_of_a_document_is_not_written(tmp_path: Path, reference: Reference):
    """Where a value is one document, writing a part would replace the whole: refused before anything is asked."""
    with pytest.raises(Invalid) as caught:
        writer(reference, Context(tmp_path, {}))
    assert caught.value.code == "SYN828"
