"""The frameworks, in one list. To add one: a file beside this that defines `FRAMEWORK`, and a line here."""

from __future__ import annotations

from syncline.evidence.framework import Framework
from syncline.evidence.frameworks import ccpa, gdpr, hipaa, iso27001, soc2
from syncline.model.errors import Invalid

FRAMEWORKS: tuple[Framework, ...] = (
    soc2.FRAMEWORK,
    iso27001.FRAMEWORK,
    gdpr.FRAMEWORK,
    ccpa.FRAMEWORK,
    hipaa.FRAMEWORK,
)


def framework(name: str) -> Framework:
    """The framework of that name; `Invalid` (SYN912) names those that there are."""
    found = {one.name: one for one in FRAMEWORKS}.get(name)
    if found is None:
        raise Invalid(
            f"there is no framework {name!r}: {', '.join(one.name for one in FRAMEWORKS)} are known", code="SYN912"
        )
    return found
