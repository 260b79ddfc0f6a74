"""Transport: classified data crosses networks encrypted."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from syncline.kinds.integration import IntegrationSpec
from syncline.model.manifest import Path
from syncline.policy.rule import Rule, Subjects, Violation

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def check(subjects: Subjects) -> Iterator[Violation]:
    """An HTTP integration that isn't on this machine and is reached without TLS."""
    for key, manifest in subjects.desired.objects.items():
        if key.kind != "Integration" or not isinstance(manifest.spec, IntegrationSpec):
            continue
        urls: list[tuple[Path, str]] = [
            (("spec", "endpoints", i, "url"), e.url) for i, e in enumerate(manifest.spec.endpoints)
        ]
        urls += [(("spec", "config", n), v) for n, v in manifest.spec.config.items() if isinstance(v, str)]
        for path, url in urls:
            parts = urlsplit(url) if url.startswith("http://") else None
            if parts is not None and parts.hostname and parts.hostname not in _LOOPBACK:
                yield Violation(
                    rule="transport",
                    code="SYN505",
                    subject=key,
                    message=f"integration {key.name} reaches {parts.hostname} without TLS",
                    place=manifest.place_of(*path),
                    expected="https://",
                    help="Use the https address of the system.",
                )


RULE = Rule("transport", "SYN505", "Systems on other machines are reached over TLS.", check)
