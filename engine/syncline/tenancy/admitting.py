"""Who may take a tenant out: who had the role when it was last applied."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING

from syncline.executor.access.admission import tenant_spec
from syncline.executor.access.roles import Right, demand_by, kept_access
from syncline.executor.flows.former import former
from syncline.kinds.tenant import Access
from syncline.model.errors import Invalid
from syncline.state.open import open_reader

if TYPE_CHECKING:
    from syncline.settings import Settings


def demand_offboarding(settings: Settings, tenant: str, revision: str = "") -> None:
    """
    `Denied` (SYN865) where who acts here may not take a tenant out.

    Where the state has kept no roles of it, as of what was retired before states did, Git tells them: of the newest
    applied commit that declares the tenant, and only where there is none, of the one that is named.
    """
    access = kept_access(settings, tenant)
    if access is None:
        with closing(open_reader(settings.state_url)) as reader:
            for commit in dict.fromkeys(("", revision)):
                with suppress(Invalid):  # then there is nobody who could take it out without one
                    found = former(settings, reader, tenant, commit)
                    access = tenant_spec(found.applied.desired, tenant).access
                    break
    demand_by(settings, tenant, access or Access(), Right.offboard)
