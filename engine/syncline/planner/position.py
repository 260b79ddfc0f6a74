"""What a saved position depends on.

A cursor means something only for the stream it was read from and the table it was written to. `position_digest` names
both: when it changes, the saved position no longer applies and the flow starts over. The planner shows that before it
happens; the executor compares it with the checkpoint at the destination. One function, so they can't disagree.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from syncline.kinds.integration import IntegrationSpec
from syncline.kinds.stream import FileStream, RestStream
from syncline.kinds.sync import SyncSpec
from syncline.manifests.flow import Flow, Side


def _side(side: Side) -> dict[str, Any]:
    spec = side.integration.spec
    config = spec.model_dump(mode="json")["config"] if isinstance(spec, IntegrationSpec) else {}
    return {"runtime": side.connector.key.name, "config": config, "stream": side.stream}


def _stream(declaration: FileStream | RestStream | None) -> Any:
    match declaration:
        case None:
            return None
        case FileStream():
            return declaration.model_dump(mode="json", include={"files", "format", "csv"})
        case RestStream():
            return declaration.model_dump(mode="json", include={"get", "post", "records", "page", "cursor", "key"})


def position_basis(flow: Flow) -> dict[str, Any]:
    """The parts of a flow that its saved position depends on, by name."""
    return {
        "source": {**_side(flow.source), "declaration": _stream(flow.source.declaration)},
        "target": _side(flow.target),
        "key": list(flow.target_key),
        "read": flow.spec.read if isinstance(flow.spec, SyncSpec) else "import",
        "write": "replace" if flow.spec.write == "replace" else "keep",
    }


def position_digest(flow: Flow) -> str:
    """SHA-256 (hex, 32 digits) of `position_basis`."""
    data = json.dumps(position_basis(flow), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(data.encode()).hexdigest()[:32]


def position_changes(before: Flow, after: Flow) -> tuple[str, ...]:
    """Names of the parts that differ: source, target, key, read, write."""
    old, new = position_basis(before), position_basis(after)
    return tuple(name for name in new if old[name] != new[name])
