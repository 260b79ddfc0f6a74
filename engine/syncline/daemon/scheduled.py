"""The schedules that count: as they are declared, and suspended where their tenant is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from syncline.executor.access.admission import tenant_spec
from syncline.kinds.schedule import ScheduleSpec

if TYPE_CHECKING:
    from syncline.manifests.desired import Desired
    from syncline.model.key import ObjectKey


def schedules(desired: Desired) -> Iterator[tuple[ObjectKey, ScheduleSpec]]:
    """All schedules; those of a tenant that is suspended are so with it."""
    for manifest in desired.of_kind("Schedule"):
        spec = manifest.spec
        assert isinstance(spec, ScheduleSpec)
        suspend = tenant_spec(desired, manifest.key.tenant).suspend
        yield manifest.key, spec if suspend is None else spec.model_copy(update={"suspend": suspend})
