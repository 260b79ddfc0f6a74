"""What is declared and every finding about it: loaded, resolved, compiled, its own tests run, judged by policy.

It reads files, and the state where several sources declare together, and changes nothing. `workflow.py` goes on from
here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import IntegrationSpec
from syncline.manifests.demands.authorities import check_authorities
from syncline.manifests.demands.bumps import side_by_side, since
from syncline.manifests.demands.egress import check_egress
from syncline.manifests.demands.subscriptions import check_subscriptions
from syncline.manifests.demands.webhooks import check_webhooks
from syncline.manifests.environments import read_environments
from syncline.manifests.files import SAVED, Unsaved
from syncline.manifests.load import load_tree
from syncline.manifests.overlay import declared, read_overlays
from syncline.manifests.resolve import resolve
from syncline.model.diagnostic import Diagnostic, has_errors
from syncline.model.errors import Invalid
from syncline.planner.compiled import Flows, compile_flows, source_schema
from syncline.planner.known import Judged, Known, Tested
from syncline.planner.personal import untold

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.manifests.desired import Desired
    from syncline.manifests.load import LoadResult
    from syncline.model.key import ObjectKey
    from syncline.model.plan import PolicyResult
    from syncline.planner.ownership import Ownership
    from syncline.policy.rule import Subjects
    from syncline.settings import Settings
    from syncline.state.store import AppliedObject, StateReader


class Validation(Struct, frozen=True):
    """What is declared, and every finding about it, policy included; `formerly` is its environment's old name, and
    `known` what was wrong with other sources' objects before: it isn't among the findings. `subjects` is what policy
    looked at.
    """

    files: tuple[str, ...]
    desired: Desired
    flows: Flows
    diagnostics: tuple[Diagnostic, ...]
    policy: tuple[PolicyResult, ...]
    subjects: Subjects
    formerly: str = ""
    known: frozenset[tuple[str, str, str]] = frozenset()

    @property
    def ok(self) -> bool:
        """Whether it may be planned: no finding is an error."""
        return not has_errors(self.diagnostics)

    def blames(self, finding: Diagnostic) -> bool:
        """Whether a finding is news: it wasn't there before, about another source's object."""
        return _said(finding) not in self.known


def validate(
    settings: Settings,
    *,
    mapping_tests: bool = True,
    base: str = "",
    known: Known | None = None,
    unsaved: Unsaved = SAVED,
) -> Validation:
    """
    Loads, resolves and compiles what the environment of the settings declares, runs the mappings' own tests, and checks
    policy.

    With `base`, a Git revision, connectors that changed since then must have another version, raised far enough. With
    `known`, which the caller keeps, only what changed since the last time is found out anew; without a `base`.
    `unsaved` are texts that stand for those of files.
    """
    loaded = declared(settings.root, settings.environment, None if known is None else known.files, unsaved)
    if known is not None:
        return _decided(settings, known.of(loaded) or _judged_anew(loaded, known))
    return _validated(settings, loaded, mapping_tests=mapping_tests, base=base)


def validate_beside(
    settings: Settings, source: str = "", *, state: StateReader | None = None, base: str = ""
) -> Validation:
    """As `validate`, of the tree of a source beside what is applied of others: by a state, or by what stands for it."""
    from syncline.state.open import open_reader

    with ExitStack() as stack:
        reader = state or stack.enter_context(closing(open_reader(settings.state_url)))
        applied = {known.key: known for known in reader.objects()}
    return beside(settings, None, applied, source, None, base=base)[0]


def validate_each(settings: Settings, *, mapping_tests: bool = True, base: str = "") -> dict[str, Validation]:
    """As `validate`, in the environment of the settings, else in each of the repository; '' where it declares none."""
    if settings.environment:
        return {settings.environment: validate(settings, mapping_tests=mapping_tests, base=base)}
    overlays = read_overlays(settings.root)
    if overlays is None:
        loaded = {"": load_tree(settings.root)}
    else:
        loaded = {name: overlays.render(name) for name in overlays.environments.names or ("",)}
    return {name: _validated(settings, tree, mapping_tests=mapping_tests, base=base) for name, tree in loaded.items()}


def validate_again(settings: Settings, known: dict[str, Known], unsaved: Unsaved = SAVED) -> dict[str, Validation]:
    """As `validate_each`, for who does so at each change: the caller keeps `known`, by environment."""
    if settings.environment:
        names: tuple[str, ...] = (settings.environment,)
    else:
        environments = read_environments(settings.root, unsaved)
        names = (environments.names if environments is not None else ()) or ("",)
    return {
        name: validate(replace(settings, environment=name), known=known.setdefault(name, Known()), unsaved=unsaved)
        for name in names
    }


def _validated(
    settings: Settings,
    loaded: LoadResult,
    *,
    mapping_tests: bool,
    base: str,
    owners: Ownership | None = None,
    known: Known | None = None,
) -> Validation:
    """With `owners`, together with what is applied of other sources."""
    judged = _judged(loaded, owners)
    found = list(judged.findings)
    if base:
        from syncline.manifests.revisions import connectors_at

        found += since(connectors_at(settings.root, base), judged.desired)
    if mapping_tests and not has_errors(found):
        passed, wrong = _mapping_tests(judged, known.passed if known is not None else frozenset())
        found += wrong
        if known is not None:
            known.passed = passed
    return _decided(settings, structs.replace(judged, findings=tuple(found)))


def _judged_anew(loaded: LoadResult, known: Known) -> Judged:
    """What there is to find out about what was loaded, and isn't known yet."""
    judged, passed = _judged(loaded), known.passed
    if not has_errors(judged.findings):
        passed, found = _mapping_tests(judged, known.passed)
        judged = structs.replace(judged, findings=(*judged.findings, *found))
    known.keep(judged, passed)
    return judged


def _judged(loaded: LoadResult, owners: Ownership | None = None) -> Judged:
    mine = {*(manifest.key for manifest in loaded.manifests), *loaded.broken}
    others = owners.others(mine) if owners is not None else []
    resolved = resolve([*loaded.manifests, *others], loaded.broken)
    flows = compile_flows(resolved.desired)
    found = [*loaded.diagnostics, *resolved.diagnostics, *_expression_findings(resolved.desired)]
    found += _mapping_findings(resolved.desired, flows)
    found += side_by_side(resolved.desired)
    found += _condition_findings(resolved.desired)
    found += check_subscriptions(resolved.desired)
    found += check_webhooks(resolved.desired)
    found += check_egress(resolved.desired)
    if owners is not None:
        found += [*owners.findings(loaded.manifests), *owners.left()]
    return Judged(loaded, resolved.desired, flows, tuple(found))


def _decided(settings: Settings, judged: Judged) -> Validation:
    """With what policy says of it today."""
    loaded = judged.loaded
    from syncline.policy.check import check

    subjects = policy_subjects(settings.start, judged.desired, judged.flows)
    results = check(subjects)
    found = [*judged.findings, *(result.diagnostic for result in results if result.diagnostic is not None)]
    found += _endings(judged.desired)
    found += check_authorities(settings.start, judged.desired)
    found = [_traced(d, loaded) for d in found]
    unique = tuple(sorted(dict.fromkeys(found), key=Diagnostic.sort_key))
    return Validation(loaded.files, judged.desired, judged.flows, unique, results, subjects, loaded.formerly)


def _traced(finding: Diagnostic, loaded: LoadResult) -> Diagnostic:
    """With where the variables at its place are given; not of a credential, which nobody may see."""
    given = loaded.given.get(finding.place) if finding.place and finding.code != "SYN210" else None
    return structs.replace(finding, related=(*finding.related, *given)) if given else finding


def _endings(desired: Desired) -> tuple[Diagnostic, ...]:
    """Credentials that end soon, by what is declared of them."""
    if not any(desired.of_kind("AuthConfig")):
        return ()
    from syncline.reconciler.rotation import endings

    return endings(desired, dt.datetime.now(dt.UTC))


def _expression_findings(desired: Desired) -> list[Diagnostic]:
    apis = (m for m in desired.of_kind("Connector") if isinstance(m.spec, ConnectorSpec) and m.spec.declares_api)
    reached = (m for m in desired.of_kind("Integration") if isinstance(m.spec, IntegrationSpec) and m.spec.endpoints)
    if not any(desired.of_kind("AuthConfig")) and not any(apis) and not any(reached):
        return []
    from syncline.manifests.demands.expressions import check_expressions

    return check_expressions(desired)


def _condition_findings(desired: Desired) -> list[Diagnostic]:
    if not any(any(desired.of_kind(kind)) for kind in ("Schedule", "Subscription", "Policy", "Tenant")):
        return []
    from syncline.policy.conditions import check_conditions

    return check_conditions(desired)


def _mapping_findings(desired: Desired, flows: Flows) -> list[Diagnostic]:
    """Findings of every mapping: against the sources it is used with, or alone when it isn't used."""
    from syncline.mapping.compile import compile_mapping

    used = {item.flow.mapping.key for item in flows.values()}
    found = [d for item in flows.values() for d in item.compiled.diagnostics]
    for manifest in desired.of_kind("Mapping"):
        if manifest.key not in used:
            found += compile_mapping(manifest, None).diagnostics
    return [*found, *untold(flows)]


def _mapping_tests(judged: Judged, passed: frozenset[Tested]) -> tuple[frozenset[Tested], list[Diagnostic]]:
    """Runs the own tests of the mappings that were loaded, but for those that passed before: which pass, and what was
    found.
    """
    from syncline.kinds.mapping import MappingSpec

    sources = {item.flow.mapping.key: source_schema(item.flow.source) for item in judged.flows.values()}
    found: list[Diagnostic] = []
    passing: set[Tested] = set()
    mine = {manifest.key for manifest in judged.loaded.manifests}
    for manifest in judged.desired.of_kind("Mapping"):
        if not isinstance(manifest.spec, MappingSpec) or not manifest.spec.tests or manifest.key not in mine:
            continue
        from syncline.mapping.tests import run_tests

        tested = manifest.digest, sources.get(manifest.key)
        wrong = [] if tested in passed else run_tests(manifest, tested[1])
        found += wrong
        if not wrong:
            passing.add(tested)
    return frozenset(passing), found


def policy_subjects(root: Path, desired: Desired, flows: Flows) -> Subjects:
    """What policy looks at, today."""
    from syncline.policy.facts import facts
    from syncline.policy.rule import Subjects

    found = facts({key: (item.flow, item.compiled) for key, item in flows.items()})
    return Subjects(desired, found, (), dt.datetime.now(dt.UTC).date(), root)


def refuse(validation: Validation) -> None:
    """Raises `Invalid`, with all findings, unless it may be planned; `Denied` where only policy stands against it."""
    if validation.ok:
        return
    from syncline.model.errors import Denied

    errors = tuple(d for d in validation.diagnostics if d.severity == "error")
    policy = tuple(d for d in errors if d.code.startswith("SYN5"))
    if len(policy) == len(errors):
        raise Denied("policy denies what is declared", diagnostics=validation.diagnostics)
    raise Invalid("the configuration is not valid", diagnostics=validation.diagnostics)


def beside(
    settings: Settings,
    validation: Validation | None,
    applied: Mapping[ObjectKey, AppliedObject],
    source: str,
    known: Known | None,
    base: str = "",
) -> tuple[Validation, Mapping[ObjectKey, str]]:
    """What the tree of a source declares, beside what is applied of others; which objects it takes over, and whose."""
    from syncline.planner.ownership import Ownership

    if not source and not any(one.source or key.kind == "Source" for key, one in applied.items()):
        found = validation or validate(settings, base=base, known=known)
        if not any(found.desired.of_kind("Source")):
            return found, {}
    loaded = declared(settings.root, settings.environment, None if known is None else known.files)
    owners = Ownership.of(source, loaded.manifests, applied)
    found = _validated(settings, loaded, mapping_tests=True, base=base, owners=owners, known=known)
    if not found.ok and (before := _wrong_before(settings, applied, source)):
        found = structs.replace(
            found, diagnostics=tuple(d for d in found.diagnostics if _said(d) not in before), known=before
        )
    return found, owners.taken([manifest.key for manifest in loaded.manifests])


def _wrong_before(
    settings: Settings, applied: Mapping[ObjectKey, AppliedObject], source: str
) -> frozenset[tuple[str, str, str]]:
    """What is wrong with other sources' objects as they are applied: no commit of this one can be blamed for that."""
    from syncline.manifests.load import LoadResult, from_document

    manifests = tuple(from_document(one.document) for one in applied.values())
    found = _validated(settings, LoadResult(manifests), mapping_tests=False, base="").diagnostics
    others = {str(key) for key, one in applied.items() if one.source != source}
    return frozenset(_said(d) for d in found if d.subject in others)


def _said(finding: Diagnostic) -> tuple[str, str, str]:
    return finding.code, finding.message, finding.subject
