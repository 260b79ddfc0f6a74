"""What a condition sees: the subjects of rules as plain data, and an example of each.

The examples are what `tests` of a rule are laid over, so that a test writes only what matters to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from msgspec import to_builtins

if TYPE_CHECKING:
    from syncline.model.change import Change
    from syncline.model.manifest import Manifest
    from syncline.policy.rule import End, FlowFact

_DAY: Final = 86_400


def object_values(manifest: Manifest) -> dict[str, Any]:
    """A manifest, as `object`."""
    return {
        "kind": manifest.key.kind,
        "name": manifest.key.base,
        "tenant": manifest.key.tenant,
        "labels": dict(manifest.labels),
        "annotations": dict(manifest.annotations),
        "spec": manifest.source.get("spec", {}),
    }


def flow_values(fact: FlowFact) -> dict[str, Any]:
    """One field on its way, as `flow`."""
    terms = fact.terms
    return {
        "kind": fact.flow.kind,
        "name": fact.flow.name,
        "tenant": fact.tenant,
        "source": {**_end(fact.origin), "field": fact.source},
        "target": {**_end(fact.destination), "field": fact.target},
        "class": fact.classes[0] if fact.classes else "",
        "classes": list(fact.classes),
        "protection": fact.protection,
        "grain": to_builtins(fact.grain),
        "purpose": terms.purpose,
        "basis": terms.basis,
        "condition": terms.condition,
        "transfer": terms.transfer,
        "optOut": terms.honoured,
        "write": terms.write,
        "deletes": terms.deletes,
        "absent": terms.absent,
        "k": terms.k,
    }


def _end(end: End) -> dict[str, Any]:
    return {
        "integration": end.integration,
        "connector": end.connector,
        "region": end.region,
        "stream": end.stream,
        "party": end.party,
        "agreement": end.agreement,
        "encrypted": bool(end.encrypted),
        "retentionDays": end.retention / _DAY,
    }


def change_values(change: Change) -> dict[str, Any]:
    """A change of a plan, as `change`."""
    return {
        "action": change.action.name,
        "kind": change.key.kind,
        "name": change.key.base,
        "tenant": change.key.tenant,
        "fields": [field.path for field in change.fields],
        "effects": [str(effect.kind) for effect in change.effects],
    }


def _example_end(integration: str, connector: str) -> dict[str, Any]:
    return {
        "integration": integration,
        "connector": connector,
        "region": "eu-west",
        "stream": "customers",
        "party": "",
        "agreement": "",
        "encrypted": False,
        "retentionDays": 0.0,
        "field": "email",
    }


#: An example of each subject, by what a rule is `on`; the name that conditions read it by is the same but for `object`.
EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "manifest": {
            "kind": "Sync",
            "name": "customers",
            "tenant": "acme",
            "labels": {},
            "annotations": {},
            "spec": {},
        },
        "flow": {
            "kind": "Sync",
            "name": "customers",
            "tenant": "acme",
            "source": _example_end("crm", "helpdesk"),
            "target": _example_end("warehouse", "postgresql"),
            "class": "",
            "classes": [],
            "protection": "",
            "grain": {"date": "", "prefix": 0, "bucket": 0, "top": 0, "bottom": 0},
            "purpose": "",
            "basis": "",
            "condition": "",
            "transfer": "",
            "optOut": False,
            "write": "upsert",
            "deletes": "hard",
            "absent": "keep",
            "k": 0,
        },
        "change": {
            "action": "update",
            "kind": "Sync",
            "name": "customers",
            "tenant": "acme",
            "fields": [],
            "effects": [],
        },
    }
)
#: What conditions call a subject, by what their rule is `on`.
NAMES: Final[Mapping[str, str]] = MappingProxyType({"manifest": "object", "flow": "flow", "change": "change"})
#: Parts of subjects whose names anybody chooses.
_OPEN: Final = frozenset({"labels", "annotations", "spec"})


def laid_over(on: str, partial: Mapping[str, Any]) -> dict[str, Any]:
    """The example of a subject with some of it replaced; ValueError where that has a name that no such subject has."""
    found = _laid(EXAMPLES[on], partial, ())
    if on == "flow" and "classes" in partial and "class" not in partial:
        found["class"] = min(found["classes"], default="")
    return found


def _laid(base: Mapping[str, Any], partial: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    found = dict(base)
    for name, value in partial.items():
        if name not in base:
            raise ValueError(f"{'.'.join((*path, name))} is nothing that it has; there is {', '.join(base)}")
        inside = base[name]
        if isinstance(inside, Mapping) and name not in _OPEN:
            if not isinstance(value, Mapping):
                raise ValueError(f"{'.'.join((*path, name))} is an object with {', '.join(inside)}")
            found[name] = _laid(inside, value, (*path, name))
        else:
            found[name] = value
    return found
