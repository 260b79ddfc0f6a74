"""Conditions, tried at validate time: filters on an example of the event they are about, rules by their own tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from syncline.kinds.tenant import TenantSpec
from syncline.manifests.text import nearest
from syncline.mapping.regex import BadPattern, columnar
from syncline.model.diagnostic import Diagnostic
from syncline.model.notice import NOTICES
from syncline.model.trigger import EXAMPLES
from syncline.policy.cel import ERRORS, Condition
from syncline.policy.tests import try_policy

if TYPE_CHECKING:
    from syncline.manifests.desired import Desired
    from syncline.model.manifest import Manifest, Path


def check_conditions(desired: Desired) -> list[Diagnostic]:
    """
    A finding (SYN696, SYN730) for each filter that isn't CEL, or isn't true or false of an event that it is for; one
    (SYN690, SYN691) for each test of a rule that fails, and each detection that can't be used.
    """
    found = [finding for manifest in desired.of_kind("Schedule") for finding in _schedule(manifest)]
    found += [finding for manifest in desired.of_kind("Subscription") for finding in _subscription(manifest)]
    found += [finding for manifest in desired.of_kind("Tenant") for finding in _detections(manifest)]
    tried = (case for manifest in desired.of_kind("Policy") for case in try_policy(manifest))
    return [*found, *(case.finding for case in tried if case.problem)]


def _detections(manifest: Manifest) -> Iterator[Diagnostic]:
    spec = manifest.spec
    for index, detect in enumerate(spec.detect if isinstance(spec, TenantSpec) else ()):
        wrong = ""
        if (detect.form is None) == (detect.pattern is None):
            wrong = "has not exactly one of form and pattern"
        elif detect.pattern is not None:
            try:
                columnar(detect.pattern)
            except BadPattern as bad:
                wrong = str(bad)
        if wrong:
            place = manifest.place_of("spec", "detect", index)
            yield Diagnostic(
                code="SYN691",
                message=f"detection of {detect.data_class} {wrong}",
                place=place,
                subject=str(manifest.key),
            )


def _schedule(manifest: Manifest) -> Iterator[Diagnostic]:
    from syncline.kinds.schedule import ScheduleSpec

    spec = manifest.spec
    if not isinstance(spec, ScheduleSpec) or spec.on is None or spec.on.filter is None:
        return
    example = EXAMPLES.get(spec.on.event or "")
    if example is not None:  # else the type of the event is a finding already
        yield from _filter(manifest, ("spec", "on", "filter"), spec.on.filter, "SYN696", example)


def _subscription(manifest: Manifest) -> Iterator[Diagnostic]:
    from syncline.kinds.subscription import SubscriptionSpec

    spec = manifest.spec
    if not isinstance(spec, SubscriptionSpec) or spec.filter is None:
        return
    for event in spec.on:
        found = list(_filter(manifest, ("spec", "filter"), spec.filter, "SYN730", NOTICES.get(event)))
        yield from found
        if found:
            return


def _filter(
    manifest: Manifest, path: Path, text: str, code: str, example: Mapping[str, Any] | None
) -> Iterator[Diagnostic]:
    wrong = _wrong(text, dict(example)) if example is not None else ""
    if wrong and example is not None:
        of = f" of type {example['type']}" if code == "SYN730" else ""
        yield Diagnostic(
            code=code,
            message=f"the filter {wrong}",
            place=manifest.place_of(*path),
            subject=str(manifest.key),
            expected=f"a CEL condition over event.{{{', '.join(example)}}}{of}",
            suggestion=_near(text, list(example)),
        )


def _wrong(text: str, example: dict[str, object]) -> str:
    """What is wrong with a condition, or ''."""
    try:
        value = Condition(text)({"event": example})
    except KeyError as error:
        return f"names {error.args[0]!s}, which the event doesn't have"
    except ValueError as error:
        return f"isn't CEL: {str(error).splitlines()[0][:200]}"
    except ERRORS as error:
        return f"can't be evaluated on an event: {str(error).splitlines()[0][:200]}"
    return "" if isinstance(value, bool) else f"gives {type(value).__name__}, not true or false"


def _near(text: str, names: list[str]) -> str:
    """A field for the first name that the event doesn't have."""
    for word in text.replace("(", " ").replace(")", " ").split():
        prefix, dot, rest = word.partition("event.")
        name = rest.partition(".")[0]
        if dot and not prefix and name not in names:
            near = nearest(name, names)
            return f"event.{near}" if near else ""
    return ""
