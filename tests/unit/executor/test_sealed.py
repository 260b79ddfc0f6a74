"""What is sealed with a tenant's keys and kept elsewhere: no byte of it can be another one, and nobody sees what it was."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from msgspec.structs import replace

from syncline.executor.batches import rejects, suppressor
from syncline.executor.services import tokens
from syncline.model.errors import Stalled
from syncline.model.key import ObjectKey
from syncline.model.run import Reason, Reject
from syncline.model.secret import Secret
from syncline.model.suppression import Suppression
from syncline.sdk.auth.tokens import Token
from syncline.secrets.keys.ring import KeyRing
from syncline.state.store import SealedToken, TokenKey
from tests.flips import flips

FLOW = ObjectKey("acme", "Sync", "customers")
CANARY = "canary-4711"


@pytest.fixture
def keys(tmp_path: Path) -> KeyRing:
    """The keys of a home."""
    return KeyRing.open(tmp_path / "keys")


@pytest.mark.parametrize("generation", [0, 3])
def test_no_byte_of_rejects_can_change(keys: KeyRing, generation: int):
    """Mark, generation of the key, and what is sealed: each changed byte is refused, as is another batch's place."""
    also = (Reason("name", "required", CANARY, "no name"),)
    reject = Reject("feed.csv:2", "id", "type", CANARY, "no number", f'{{"id": "{CANARY}"}}', also)
    sealed = rejects.seal(keys, FLOW, "run-1", 1, [reject], generation)
    assert rejects.unseal(keys, FLOW, sealed) == (reject,)

    for at, blob in flips(sealed.blob):
        with pytest.raises(Stalled, match="rejects/run-1/") as caught:
            rejects.unseal(keys, FLOW, replace(sealed, blob=blob))
        assert caught.value.code in {"SYN806", "SYN823"}, at
        assert CANARY not in str(caught.value)
    for other in (replace(sealed, sequence=2), replace(sealed, run="run-2")):
        with pytest.raises(Stalled):
            rejects.unseal(keys, FLOW, other)


def test_no_byte_of_a_token_can_change(keys: KeyRing):
    """A token of an API opens as it was kept, for the AuthConfig and the purpose that it was kept for, or not at all."""
    key = TokenKey("acme", "crm-oauth", "f00d")
    blob = keys.seal("acme", Token(Secret(CANARY), refresh=Secret("r")).dumps(), tokens._path(key))
    assert tokens.opened(keys, SealedToken(key, 1, blob)).access.reveal() == CANARY

    for _, changed in flips(blob):
        with pytest.raises(Stalled, match="tokens/acme/crm-oauth") as caught:
            tokens.opened(keys, SealedToken(key, 1, changed))
        assert caught.value.code == "SYN806"
        assert CANARY not in str(caught.value)
    for other in (TokenKey("acme", "other", "f00d"), TokenKey("acme", "crm-oauth", "beef")):
        with pytest.raises(Stalled):
            tokens.opened(keys, SealedToken(other, 1, blob))


def test_no_byte_of_who_is_kept_away_can_change(keys: KeyRing):
    """What tells somebody who was erased opens for its own request only, unchanged."""
    blob = keys.seal("acme", CANARY.encode(), suppressor.aad("request-1"))
    kept = Suppression("request-1", "acme", "email", "hash", "2026-01-02T03:04:05Z", blob)
    assert suppressor.opened(keys, kept) == CANARY.encode()

    for _, changed in flips(blob):
        with pytest.raises(Stalled, match="suppressions/request-1") as caught:
            suppressor.opened(keys, dataclasses.replace(kept, sealed=changed))
        assert caught.value.code == "SYN806"
    with pytest.raises(Stalled):
        suppressor.opened(keys, dataclasses.replace(kept, id="request-2"))
