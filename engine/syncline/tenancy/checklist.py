"""What a tenant still lacks, found out from what is really there: one finding a line, nothing is changed.

What is False has to be done before the tenant is certified; what is None is advice, or comes later by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline import inspection, workflow
from syncline.audit.fetch import DirectoryFetcher
from syncline.audit.log_signer import log_verifier
from syncline.audit.verify import verify
from syncline.executor.services.witnessing import cosigned_newest, read_policy
from syncline.model.errors import SynclineError
from syncline.policy.facts import facts
from syncline.reconciler.doctor import Finding
from syncline.reconciler.keys import list_keys
from syncline.reconciler.needs import secret_problem, secret_refs
from syncline.state.open import open_reader
from syncline.tenancy.certificate import certified_digest
from syncline.tenancy.tenant import Declared, declared_tenant

if TYPE_CHECKING:
    from syncline.model.diagnostic import Diagnostic
    from syncline.settings import Settings
    from syncline.validation import Validation


class _Looked(Struct, frozen=True):
    """What the looks look at; `connect`: systems are asked whether they answer."""

    settings: Settings
    validation: Validation
    tenant: Declared
    connect: bool

    def errors(self) -> list[Diagnostic]:
        """Errors about what is the tenant's."""
        subjects = {str(key) for key in self.tenant.objects}
        return [d for d in self.validation.diagnostics if d.severity == "error" and d.subject in subjects]


def checklist(settings: Settings, validation: Validation, name: str, *, connect: bool = True) -> Iterator[Finding]:
    """
    Everything in turn; a look that fails is a finding. `Denied` (SYN865) where who acts may not see the tenant,
    `Invalid` (SYN860) where none such is declared.
    """
    workflow.demand(settings, name, "see")
    looked = _Looked(settings, validation, declared_tenant(validation.desired, name), connect)
    for what, look in _LOOKS:
        try:
            yield from look(looked)
        except SynclineError as error:
            yield Finding(what, ok=False, message=f"{error.code} {error.message}", help=error.help)
        except (OSError, ValueError) as error:
            yield Finding(what, ok=False, message=str(error))


def _manifests(at: _Looked) -> Iterator[Finding]:
    help_ = "See `syncline validate`."
    if wrong := at.errors():
        yield Finding("manifests", ok=False, message=f"{wrong[0].code} {wrong[0].message}", help=help_)
    elif not at.validation.ok:
        yield Finding("manifests", ok=False, message="something else that is declared isn't valid", help=help_)
    else:
        yield Finding("manifests", ok=True, message=f"{len(at.tenant.objects)} objects are valid")


def _owner(at: _Looked) -> Iterator[Finding]:
    owner = at.tenant.spec.owner
    help_ = "Name who answers for it: spec.owner of the tenant."
    yield Finding("owner", bool(owner), owner or "nobody answers for it", help_)


def _policies(at: _Looked) -> Iterator[Finding]:
    shared = [m.key.name for m in at.validation.desired.of_kind("Policy") if not m.key.tenant]
    binding = [*at.tenant.spec.policies, *(name for name in shared if name not in at.tenant.spec.policies)]
    message = f"bound by {', '.join(binding)}" if binding else "no policy binds it, besides what is built in"
    yield Finding("policies", bool(binding), message, "Name policies in spec.policies, such as gdpr.")


def _residency(at: _Looked) -> Iterator[Finding]:
    spec = at.tenant.spec
    said = [f"regions {', '.join(spec.regions)}"] if spec.regions else []
    said += [f"{', '.join(rule.classes)} stays in {', '.join(rule.regions)}" for rule in spec.residency]
    message = "; ".join(said) or "its data may be anywhere"
    yield Finding("residency", bool(said), message, "Declare spec.regions, or spec.residency for classes of data.")


def _classes(at: _Looked) -> Iterator[Finding]:
    own = {key: (item.flow, item.compiled) for key, item in at.validation.flows.items() if key.tenant == at.tenant.name}
    found = sorted({name for known in facts(own).values() for fact in known for name in fact.classes})
    message = ", ".join(found) if found else "no field of its flows has a class"
    help_ = "Give fields of personal data a class in their mapping: residency and policy go by it."
    yield Finding("classes", True if found else None, message, help_)


def _quotas(at: _Looked) -> Iterator[Finding]:
    quotas = at.tenant.spec.quotas
    lacks = [name for name, value in quotas.model_dump(by_alias=True).items() if value is None]
    message = f"without a bound: {', '.join(lacks)}" if lacks else "all are set"
    yield Finding("quotas", not lacks, message, "Set them in spec.quotas of the tenant.")


def _isolation(at: _Looked) -> Iterator[Finding]:
    mine = {str(key) for key in at.tenant.objects}
    found = [r for r in at.validation.policy if r.rule == "isolation" and r.object in mine]
    if not found:
        yield Finding("isolation", ok=True, message="no place of its data is another tenant's")
    for result in found:
        yield Finding(
            "isolation",
            ok=False if not result.allowed else None,
            # Not with whom: who onboards one tenant needs to know nothing of another.
            message=f"{result.object} is at a place that another tenant has too",
            help="Give the tenant a folder, a schema or a database of its own.",
        )


def _keys(at: _Looked) -> Iterator[Finding]:
    there = at.tenant.name in {key.tenant for key in list_keys(at.settings).data}
    message = "its data key is in the ring" if there else "it has no data key yet"
    yield Finding("key", True if there else None, message, f"`syncline tenant certify {at.tenant.name}` makes it.")


def _secrets(at: _Looked) -> Iterator[Finding]:
    names: set[str] = set()
    for manifest in at.tenant.objects.values():
        for ref in secret_refs(manifest.spec):
            name = f"{ref.secret_ref.provider}:{ref.secret_ref.key}"
            names.add(name)
            if (problem := secret_problem(at.settings, at.tenant.name, ref)) is not None:
                yield Finding("secrets", ok=False, message=problem.message, help=problem.help)
                names.discard(name)
    if names:
        yield Finding("secrets", ok=True, message=f"can be resolved: {', '.join(sorted(names))}")


def _systems(at: _Looked) -> Iterator[Finding]:
    if not at.connect:
        yield Finding("systems", ok=None, message="weren't asked", help="Leave --offline out.")
        return
    for key in at.tenant.objects:
        if key.kind != "Integration":
            continue
        try:
            reached = inspection.check(at.settings, at.validation, key).reached
        except SynclineError as error:
            message = f"{key.name}: {error.code} {error.message}"
            yield Finding("systems", ok=False, message=message, help=error.help)
        else:
            yield Finding("systems", ok=True, message=f"{key.name} answers: {reached.place}")


def _evidence(at: _Looked) -> Iterator[Finding]:
    if not at.settings.audit.is_dir():
        yield Finding("audit log", ok=None, message="begins with the first apply, or the first certificate")
        return
    key, policy = log_verifier(at.settings), read_policy(at.settings)
    found = verify(DirectoryFetcher(at.settings.audit), key.name, [key])
    size = found.checkpoint.size if found.checkpoint else 0
    message = found.findings[0].message if found.findings else f"{size:,} entries verify"
    yield Finding("audit log", found.ok, message, "See `syncline audit verify`.")
    if policy is None:
        help_ = "Declare them in `witnesses.policy`."
        yield Finding("witnesses", ok=None, message="nobody else sees how the log grows", help=help_)
    else:
        newest = cosigned_newest(at.settings, policy)
        message = "the newest checkpoint is cosigned" if newest else "the newest checkpoint isn't cosigned yet"
        yield Finding("witnesses", True if newest else None, message, "`syncline audit cosign` asks them.")


def _applied(at: _Looked) -> Iterator[Finding]:
    with closing(open_reader(at.settings.state_url)) as reader:
        there = (reader.object(at.tenant.key), *reader.objects(at.tenant.name))
        objects = {one.key: one.digest for one in there if one is not None}
    left = [key for key, manifest in at.tenant.objects.items() if objects.get(key) != manifest.digest]
    message = f"{len(left)} of {len(at.tenant.objects)} objects aren't applied as declared" if left else "all of it"
    yield Finding("applied", None if left else True, message, "Merge, and let it be applied: `syncline apply`.")


def _certified(at: _Looked) -> Iterator[Finding]:
    name, digest = at.tenant.name, certified_digest(at.settings, at.tenant.name)
    help_ = f"`syncline tenant certify {name}` rehearses every flow."
    if digest is None:
        yield Finding("certificate", ok=None, message="there is none", help=help_)
    elif digest != at.tenant.digest:
        yield Finding("certificate", ok=None, message="what is declared changed since", help=help_)
    else:
        yield Finding("certificate", ok=True, message="is for what is declared")


def _suspended(at: _Looked) -> Iterator[Finding]:
    suspend = at.tenant.spec.suspend
    if suspend is not None:
        help_ = "Once it is certified, remove spec.suspend of the tenant by a commit."
        yield Finding("suspended", ok=None, message=suspend.reason, help=help_)


_LOOKS: tuple[tuple[str, Callable[[_Looked], Iterator[Finding]]], ...] = (
    ("manifests", _manifests),
    ("owner", _owner),
    ("policies", _policies),
    ("residency", _residency),
    ("classes", _classes),
    ("quotas", _quotas),
    ("isolation", _isolation),
    ("key", _keys),
    ("secrets", _secrets),
    ("systems", _systems),
    ("audit log", _evidence),
    ("certificate", _certified),
    ("applied", _applied),
    ("suspended", _suspended),
)
