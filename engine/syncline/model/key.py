"""Names of objects: `tenant/Kind/name`, or `Kind/name` for what is shared by all tenants.

Of a Connector several versions may live side by side: the version is part of its name, `Connector/helpdesk@1.3.0`.
"""

from __future__ import annotations

from msgspec import Struct

#: What the first repository, which the daemon is started with, is called. It declares the others, which are Sources.
FIRST = "main"


class ObjectKey(Struct, frozen=True):
    """Identity of a declared object. `tenant` is empty for shared objects."""

    tenant: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.tenant}/{self.kind}/{self.name}" if self.tenant else f"{self.kind}/{self.name}"

    def __lt__(self, other: ObjectKey) -> bool:
        return (self.tenant, self.kind, self.name) < (other.tenant, other.kind, other.name)

    @property
    def owner(self) -> str:
        """The tenant that it is about: a tenant's manifest is shared, and is its own; '' for what is of nobody.

        >>> ObjectKey("", "Tenant", "acme").owner, ObjectKey("acme", "Sync", "orders").owner
        ('acme', 'acme')
        """
        return self.name if self.kind == "Tenant" else self.tenant

    @property
    def base(self) -> str:
        """The name as `metadata.name` has it: without the version of a connector."""
        return self.name.partition("@")[0]

    @property
    def version(self) -> str:
        """The version of a connector; '' for every other kind."""
        return self.name.partition("@")[2]

    @property
    def unversioned(self) -> ObjectKey:
        """The key without a version: what all versions of a connector have in common."""
        return ObjectKey(self.tenant, self.kind, self.base) if "@" in self.name else self

    @property
    def is_flow(self) -> bool:
        """Whether it is a sync or an import: what runs, and writes records."""
        return self.kind in {"Sync", "Import"}

    @classmethod
    def of_tenant(cls, name: str) -> ObjectKey:
        """The key of a tenant's manifest, which is shared: it says whose the others are."""
        return cls("", "Tenant", name)

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
