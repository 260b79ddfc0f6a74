"""Positions at rest: how far a source was read may be told by values of its records, so the state has it sealed.

What a flow's checkpoint says of its source (the last key, a page's token, the ids of partitions) is sealed with the
tenant's key; what plans read of it, such as its basis and its counts, stays open. The same goes for what receipts say
of positions. Destinations have the checkpoint as it is, beside the rows that it tells of.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from syncline.model.errors import Stalled
from syncline.model.key import ObjectKey
from syncline.secrets.keys.envelope import DESTROYED

if TYPE_CHECKING:
    from syncline.executor.batches.checkpoint import Checkpoint
    from syncline.executor.services.facilities import Facilities
    from syncline.model.run import Receipt
    from syncline.secrets.keys.ring import KeyRing
    from syncline.state.store import RunRecord, StateReader, StateStore

_SEALED: Final = "sealed"
#: What a checkpoint says in values of the source, and what it has of each before anything was read.
_OF_CHECKPOINT: Final[Mapping[str, Any]] = {"position": None, "before": None, "notes": [], "sums": {}, "unsure": ""}
_OF_RECEIPT: Final[Mapping[str, Any]] = {"cursor_before": None, "cursor_after": None, "notes": [], "sums": {}}


def put_position(facilities: Facilities, key: ObjectKey, checkpoint: Checkpoint) -> None:
    """Keeps the copy of a flow's checkpoint in the state."""
    facilities.store.put_cursor(key, seal_checkpoint(facilities.keys, key.tenant, checkpoint.dumps()))


def put_run(facilities: Facilities, run: RunRecord, checkpoint: Checkpoint) -> int:
    """Records a run together with the copy of its flow's checkpoint; how many characters that has."""
    copy = seal_checkpoint(facilities.keys, run.key.tenant, checkpoint.dumps())
    facilities.store.put_run(run, copy)
    return len(copy)


def copy_of(reader: StateReader, key: ObjectKey) -> str | None:
    """The copy of a flow's checkpoint that the state has, as `Checkpoint.loads` reads it: no key is needed, and what is
    sealed isn't said. Runs and looks at destinations need no more, since the checkpoint there says it.
    """
    return shut_copy(reader.cursor(key))


def shut_copy(text: str | None) -> str | None:
    """The same of a copy that was read."""
    data = json.loads(text) if text is not None else {}
    return _text(_shut(data)) if _SEALED in data else text


def position_of(facilities: Facilities, key: ObjectKey) -> str | None:
    """The copy with all that it says; see `open_checkpoint`."""
    return open_checkpoint(lambda: facilities.keys, key.tenant, facilities.store.cursor(key))


def rename_position(store: StateStore, key: ObjectKey, flow: str) -> None:
    """Says another name of the flow in the copy of its checkpoint; what is sealed stays so."""
    text = store.cursor(key)
    if text is not None:
        store.put_cursor(key, _text(json.loads(text) | {"flow": flow}))


def seal_checkpoint(keys: KeyRing, tenant: str, text: str) -> str:
    """A checkpoint as the state keeps it."""
    data = json.loads(text)
    return _text(_sealed(keys, tenant, data, _OF_CHECKPOINT, _of_checkpoint(data)))


def open_checkpoint(keys: Callable[[], KeyRing], tenant: str, text: str | None) -> str | None:
    """
    A checkpoint as `Checkpoint.loads` reads it. Where the tenant's key was destroyed it says no position; `Stalled`
    (SYN823) where a flow is to go back to just that one, and where it was changed (SYN806). `keys` opens the keys,
    where they are needed.
    """
    data = json.loads(text) if text is not None else {}
    if _SEALED not in data:
        return text
    try:
        return _text(_opened(keys(), tenant, data, _of_checkpoint(data)))
    except Stalled as error:
        if error.code != DESTROYED or data.get("restored"):
            raise
        return _text(_shut(data))


def seal_receipt(keys: KeyRing, tenant: str, receipt: dict[str, Any]) -> dict[str, Any]:
    """A receipt as the state keeps it."""
    return _sealed(keys, tenant, receipt, _OF_RECEIPT, _of_receipt(receipt))


def open_receipt(keys: Callable[[], KeyRing], tenant: str, receipt: dict[str, Any]) -> dict[str, Any]:
    """A receipt as `Receipt.from_json` reads it; `Stalled` where its key is gone. `keys` as in `open_checkpoint`."""
    return _opened(keys(), tenant, receipt, _of_receipt(receipt)) if _SEALED in receipt else receipt


def shut_receipt(receipt: dict[str, Any]) -> dict[str, Any]:
    """A receipt for who may not see values of records: positions are told as `sealed`."""
    if _SEALED not in receipt:
        return receipt
    kept = {name: value for name, value in receipt.items() if name != _SEALED}
    return kept | {"cursor_before": _SEALED, "cursor_after": _SEALED}


def is_shut(receipt: Receipt) -> bool:
    """Whether a receipt is one that `shut_receipt` gave, which doesn't tell positions."""
    return bool(receipt.cursor_before == receipt.cursor_after == _SEALED)


def exported(keys: KeyRing, tenant: str, table: str, row: dict[str, Any]) -> dict[str, Any]:
    """A row of the state as its owner gets it: in the clear, but for what a destroyed key had sealed."""
    try:
        match table:
            case "cursors" | "positions" if ObjectKey(row["tenant"], row["kind"], row["name"]).is_flow:
                return row | {"checkpoint": open_checkpoint(lambda: keys, tenant, row["checkpoint"])}
            case "runs" if row["receipt"]:
                return row | {"receipt": open_receipt(lambda: keys, tenant, row["receipt"])}
            case _:
                return row
    except Stalled as error:
        if error.code != DESTROYED:  # what can't be read now may be readable later, while there is a key
            raise
        return row


def _sealed(keys: KeyRing, tenant: str, data: dict[str, Any], fields: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The data with these fields in one sealed one, where they say anything."""
    said = {name: data[name] for name, empty in fields.items() if data.get(name, empty) != empty}
    if not said:
        return data
    blob = keys.seal(tenant, _text(said).encode(), path)
    return {name: fields[name] if name in said else value for name, value in data.items()} | {
        _SEALED: base64.b64encode(blob).decode()
    }


def _opened(keys: KeyRing, tenant: str, data: dict[str, Any], path: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(keys.opening(tenant, "").open(base64.b64decode(data[_SEALED]), path))
    return {name: value for name, value in data.items() if name != _SEALED} | said


def _shut(data: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint without what is sealed of it."""
    return {name: value for name, value in data.items() if name != _SEALED} | dict(_OF_CHECKPOINT)


def _of_checkpoint(data: Mapping[str, Any]) -> str:
    return f"positions/{data['run']}"


def _of_receipt(receipt: Mapping[str, Any]) -> str:
    return f"receipts/{receipt['run']}"


def _text(data: Mapping[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
