"""What is remembered of writes is sealed, also what a state of before has in the clear, and gone with the tenant's key."""

from __future__ import annotations

import pytest

from syncline.executor.batches.at_rest import open_checkpoint, seal_checkpoint
from syncline.executor.batches.checkpoint import Checkpoint
from syncline.executor.flows.sealed_ledger import SealedLedger
from syncline.model.errors import Stalled
from syncline.sdk.ledger import Known, Mark, MemoryLedger
from syncline.secrets.keys.ring import KeyRing

FLOW, PLACE = "acme/Sync/contacts", "crm contacts"
ADA = Known("id-of-ada", "version-of-ada", "digest-of-ada")


@pytest.fixture
def keys(tmp_path):
    return KeyRing.open(tmp_path / "keys")


def kept(ledger: MemoryLedger) -> str:
    """All that a ledger in memory has, as text."""
    return repr({name: getattr(ledger, name) for name in dir(ledger) if name.startswith("_") and name[1] != "_"})


def test_nothing_of_a_record_is_in_the_clear(keys):
    """Neither its key nor its id, version and digest, nor the checkpoint; another tenant can't find or open them."""
    inner = MemoryLedger()
    ledger = SealedLedger.over(inner, keys, "acme")
    ledger.begin(FLOW, "epoch")
    ledger.save(FLOW, "checkpoint-of-ada", PLACE, {"key-of-ada": ADA})
    assert ledger.known(PLACE, ["key-of-ada"]) == {"key-of-ada": ADA}
    assert "of-ada" not in kept(inner)
    other = SealedLedger.over(inner, keys, "globex")
    assert other.known(PLACE, ["key-of-ada"]) == {}
    with pytest.raises(Stalled):
        other.mark(FLOW)


def test_a_ledger_of_before_is_read_and_sealed_as_it_is_written(keys):
    """What is in the clear counts, and is gone once its record is written again; ids are found in both forms."""
    inner = MemoryLedger()
    inner.begin(FLOW, "epoch")
    inner.save(FLOW, "checkpoint-of-ada", PLACE, {"key-of-ada": ADA, "key-of-bob": Known("id-of-bob")})
    ledger = SealedLedger.over(inner, keys, "acme")
    assert ledger.mark(FLOW) == Mark("epoch", "checkpoint-of-ada")
    assert ledger.known(PLACE, ["key-of-ada"]) == {"key-of-ada": ADA}
    ledger.save(FLOW, "another", PLACE, {"key-of-ada": ADA})
    assert "of-ada" not in kept(inner)
    assert ledger.known(PLACE, ["key-of-ada", "key-of-bob"]) == {"key-of-ada": ADA, "key-of-bob": Known("id-of-bob")}
    ledger.drop_ids(PLACE, ["id-of-ada", "id-of-bob"])
    assert ledger.known(PLACE, ["key-of-ada", "key-of-bob"]) == {}


def test_nothing_is_remembered_without_the_key(keys):
    """Once the tenant's key was destroyed, a flow is as one that never wrote, and its position is unknown."""
    inner = MemoryLedger()
    ledger = SealedLedger.over(inner, keys, "acme")
    ledger.begin(FLOW, "epoch")
    ledger.save(FLOW, "checkpoint", PLACE, {"a": ADA})
    position = seal_checkpoint(keys, "acme", Checkpoint(FLOW, "run", "basis", position={"at": "ada"}).dumps())
    keys.destroy("acme")
    after = SealedLedger.over(inner, keys, "acme")
    assert (after.mark(FLOW), after.known(PLACE, ["a"])) == (Mark("epoch"), {})
    assert Checkpoint.loads(open_checkpoint(lambda: keys, "acme", position) or "").position is None
    with pytest.raises(Stalled, match="destroyed"):  # a flow that is to go back to just that one
        open_checkpoint(lambda: keys, "acme", position.replace("{", '{"restored":true,', 1))


def test_a_position_that_was_changed_is_refused(keys):
    """It opens for its own run and tenant only, and not with another byte."""
    text = seal_checkpoint(keys, "acme", Checkpoint(FLOW, "run-1", "basis", position={"at": "ada"}).dumps())
    assert "ada" not in text
    assert Checkpoint.loads(open_checkpoint(lambda: keys, "acme", text) or "").position == {"at": "ada"}
    for other in (text.replace("run-1", "run-2"), text.replace('"sealed":"U1lF', '"sealed":"U1lG')):
        assert other != text
        with pytest.raises(Stalled):
            open_checkpoint(lambda: keys, "acme", other)
