"""Names of objects: `tenant/Kind/name`, or `Kind/name` for what is shared by all tenants."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """Identity of a declared object. `tenant` is empty for shared objects."""

    tenant: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.tenant}/{self.kind}/{self.name}" if self.tenant else f"{self.kind}/{self.name}"

    def __lt__(self, other: ObjectKey) -> bool:
        return (self.tenant, self.kind, self.name) < (other.tenant, other.kind, other.name)

    @classmethod
    def parse(cls, text: str) -> ObjectKey:
        """Reads `tenant/Kind/name` or `Kind/name`; ValueError for anything else."""
        parts = text.split("/")
        if len(parts) == 2 and all(parts):
            return cls("", parts[0], parts[1])
        if len(parts) == 3 and all(parts[1:]):
            return cls(parts[0], parts[1], parts[2])
        msg = f"{text!r} is not an object name: expected Kind/name or tenant/Kind/name"
        raise ValueError(msg)
