"""Every manifest kind, in one list. To add one: a file beside these that defines `KIND`, and a line here.

These files don't import annotations from the future: as strings, each would be compiled twice when a command starts.
"""

from syncline.kinds import (
    auth,
    connector,
    import_,
    integration,
    mapping,
    policy,
    schedule,
    source,
    subscription,
    sync,
    tenant,
)
from syncline.model.kind import Kind

KINDS: tuple[Kind, ...] = (
    tenant.KIND,
    policy.KIND,
    source.KIND,
    auth.KIND,
    connector.KIND,
    integration.KIND,
    mapping.KIND,
    sync.KIND,
    import_.KIND,
    schedule.KIND,
    subscription.KIND,
)

KIND_BY_NAME: dict[str, Kind] = {kind.name: kind for kind in KINDS}
