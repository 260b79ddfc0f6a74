"""Tests of sources that are declared: what of a Source is no source, and what its access is made of."""

from __future__ import annotations

import pytest

from syncline.daemon.git.declared import open_source
from syncline.kinds.source import SourceSpec
from syncline.manifests.load import load_text
from syncline.model.errors import Invalid, Stalled
from tests import repository

HEAD = "apiVersion: syncline/v1\nkind: Source\nmetadata: {name: team}\nspec:\n  url: /srv/a.git\n"


def spec(text):
    found = load_text(HEAD + text, "source.yaml")
    assert not found.diagnostics
    (manifest,) = found.manifests
    assert isinstance(manifest.spec, SourceSpec)
    return manifest.spec


@pytest.mark.parametrize(
    ("text", "place", "code"),
    [
        ("  declares: {}\n  branch: a\n  tag: b\n", (8, 3), "SYN211"),
        ("  declares: {tenants: [acme], kinds: [Tenant]}\n", (6, 39), "SYN204"),
        ("  declares: {tenants: [acme], kinds: [Snyc]}\n", (6, 39), "SYN204"),
        ("  declares: {shared: [Sync]}\n", (6, 23), "SYN204"),
        ("  declares: {shared: [Source]}\n", (6, 23), "SYN204"),
        ("  declares: {}\n  transfers: [{objects: [acme/Sync/a]}]\n", (7, 15), "SYN211"),
        ("  declares: {}\n  transfers: [{objects: [acme/Sync/a], from: b, to: c}]\n", (7, 49), "SYN211"),
        ("  declares: {}\n  transfers: [{objects: [everything], from: b}]\n", (7, 26), "SYN205"),
        ("  branch: main\n", (5, 3), "SYN202"),
    ],
)
def test_what_is_no_source(text, place, code):
    """Two names at once, kinds that no source may declare, and transfers without an end are found where they stand."""
    found = [d for d in load_text(HEAD + text, "source.yaml").diagnostics if d.severity == "error"]
    assert [(d.place.line, d.place.column, d.code) for d in found if d.place] == [(*place, code)], found


def test_a_declared_source_is_opened_with_its_own_files(tmp_path):
    """What a Source says of branch, folder, signers and servers is what its mirror goes by, in a folder of its own."""
    settings = repository.write(tmp_path, {})
    found = open_source(
        settings,
        "team",
        spec(
            "  tag: live\n  declares: {tenants: [acme]}\n  allowedSigners: [ann@example.com ssh-ed25519 AAAA]\n"
            "  openpgpKeys: [a key]\n"
        ),
    )
    assert (found.ref, found.shown) == ("refs/tags/live", "/srv/a.git")
    signers = settings.home / "sources" / "team" / "allowed_signers"
    assert signers.read_text() == "ann@example.com ssh-ed25519 AAAA\n"
    assert (signers.parent / "openpgp_keys").read_text() == "a key\n"
    assert found._source.signed


@pytest.mark.parametrize(
    ("url", "more", "code"),
    [("git://example.com/a", "", "SYN660"),
     ("/srv/a.git", "  password: {secretRef: {provider: env, key: TOKEN}}\n", "SYN742")],
)  # fmt: skip
def test_a_declared_source_that_can_not_be_followed(tmp_path, url, more, code):
    """What could never be asked is an error with a code, which its status shows."""
    settings = repository.write(tmp_path, {})
    text = (HEAD + "  declares: {}\n" + more).replace("/srv/a.git", url)
    (manifest,) = load_text(text, "source.yaml").manifests
    assert isinstance(manifest.spec, SourceSpec)
    with pytest.raises(Invalid) as caught:
        open_source(settings, "team", manifest.spec)
    assert caught.value.code == code


def test_a_declared_source_whose_folder_can_not_be_made(tmp_path):
    """A folder that can't be written is trouble of this source, with a code."""
    settings = repository.write(tmp_path, {})
    settings.home.mkdir(exist_ok=True)
    (settings.home / "sources").write_text("in the way")
    with pytest.raises(Stalled) as caught:
        open_source(settings, "team", spec("  declares: {}\n  allowedSigners: [ann@example.com ssh-ed25519 AAAA]\n"))
    assert caught.value.code == "SYN748"
