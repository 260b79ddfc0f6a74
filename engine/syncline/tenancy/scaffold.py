"""The manifest that a tenant begins with: everything that has to be said, suspended until it is certified."""

from __future__ import annotations

import json
import re
from typing import Final

from syncline.kinds.base import NAME_PATTERN
from syncline.model.errors import Invalid

_TEXT: Final = """\
apiVersion: syncline/v1
kind: Tenant
metadata: {{name: {name}}}
spec:
  title: {title}
  owner: {owner}
  # It runs nothing until this is removed: certify it first.
  suspend: {{reason: is being onboarded}}
  regions: [{regions}]
  residency:
  - {{classes: [pii.*], regions: [{regions}], unless: [drop, hash]}}
  quotas: {{requests: 600/min, concurrentRuns: 4, rowsPerDay: 10000000, spool: 10Gi}}
  keys: {{rotation: 365d}}
"""


def scaffold(name: str, owner: str, title: str, regions: tuple[str, ...], policies: tuple[str, ...]) -> str:
    """The manifest as YAML. `Invalid` (SYN860) for a name that no tenant can have."""
    if not re.fullmatch(NAME_PATTERN, name):
        raise Invalid(
            f"{name!r} is no name for a tenant",
            code="SYN860",
            help="Use at most 63 small letters, digits and '-', such as acme.",
        )
    text = _TEXT.format(
        name=name, title=_quoted(title or name), owner=_quoted(owner), regions=", ".join(map(_quoted, regions))
    )
    return text + (f"  policies: [{', '.join(map(_quoted, policies))}]\n" if policies else "")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
