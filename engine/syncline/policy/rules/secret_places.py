"""Places of secrets: what a tenant's manifests refer to is among the secrets that are the tenant's."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from syncline.kinds.integration import IntegrationSpec
from syncline.kinds.secret_refs import HOLDING, Path, secret_refs
from syncline.kinds.tenant import TenantSpec
from syncline.manifests.text import listed
from syncline.model.diagnostic import Related
from syncline.policy.rule import Rule, Subjects, Violation

if TYPE_CHECKING:
    from syncline.kinds.base import SecretRef
    from syncline.model.manifest import Manifest

#: A tenant's own SOPS file.
_FILE: Final = re.compile(r"(?:^|/)secrets/([^/]+)\.sops\.(?:yaml|yml|json)$")


def check(subjects: Subjects) -> Iterator[Violation]:
    """
    Every reference of a tenant that says which secrets are its own to another one, and of any tenant to a SOPS file of
    another tenant.
    """
    tenants = {tenant.key.name: tenant for tenant in subjects.desired.of_kind("Tenant")}
    for manifest in subjects.desired.objects.values():
        tenant = tenants.get(manifest.key.tenant) if manifest.key.kind in HOLDING else None
        if tenant is None or not isinstance(tenant.spec, TenantSpec):
            continue
        allowed, mine = tenant.spec.secrets, tenant.key.name
        for path, ref, by in _used(subjects, manifest):
            provider, key = ref.secret_ref.provider, ref.secret_ref.key
            owner = _owner(key) if provider == "sops" and not by else ""
            if owner != mine and owner in tenants:
                whose = "a file of another tenant"
            elif allowed and not is_among(allowed, provider, key):
                whose = f"no secret of tenant {mine}"
            else:
                continue
            yield Violation(
                rule="secret-places",
                code="SYN854",
                subject=manifest.key,
                message=f"{manifest.key} refers to {provider}:{key}{by}, which is {whose}",
                place=manifest.place_of("spec", *path),
                related=(Related(tenant.place_of("spec", "secrets"), "the tenant's secrets"),) if allowed else (),
                expected=listed(allowed),
                help="Refer to a secret of the tenant, or have whoever answers for it add this one to its `secrets`.",
            )


def _used(subjects: Subjects, manifest: Manifest) -> Iterator[tuple[Path, SecretRef, str]]:
    """
    The secrets that a manifest has used, where it says so, and by which shared AuthConfig, for people: an integration
    says to which host the secrets of an AuthConfig are sent.
    """
    for path, ref in secret_refs(manifest.spec):
        yield path, ref, ""
    auth = manifest.spec.auth if isinstance(manifest.spec, IntegrationSpec) else None
    found = subjects.desired.find(manifest.key.tenant, "AuthConfig", auth) if auth else None
    if found is not None and not found.key.tenant:
        for _, ref in secret_refs(found.spec):
            yield ("auth",), ref, f" by the shared {found.key}"


def _owner(key: str) -> str:
    """The tenant whose SOPS file a key names; '' for none."""
    found = _FILE.search(posixpath.normpath(key))
    return found[1] if found else ""


def is_among(allowed: Iterable[str], provider: str, key: str) -> bool:
    """Whether a secret is one of these. A key that leads out of a folder by `..` is none of any pattern's."""
    name = f"{provider}:{key}"
    roundabout = any(step in {"", ".", ".."} for step in re.split(r"[/\\\\]", key.removeprefix("/")))
    return any(name == pattern or (not roundabout and fnmatchcase(name, pattern)) for pattern in allowed)


RULE = Rule("secret-places", "SYN854", "A tenant refers to secrets of its own.", check)
