"""Secrets: data of class `secret` never flows in the clear, whoever allows it."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.policy.rule import Rule, Subjects, Violation


def check(subjects: Subjects) -> Iterator[Violation]:
    """A field of class `secret` (or below) that is written without being hashed or dropped."""
    for key, facts in subjects.facts.items():
        for fact in facts:
            name = fact.matching(("secret", "secret.*"))
            if name and fact.protection not in ("hash", "drop"):
                yield Violation(
                    rule="secrets",
                    code="SYN504",
                    subject=key,
                    message=f"{fact.describe()} writes a secret ({name}) that is not hashed or dropped",
                    place=fact.mapping_place,
                    expected="protect: drop or protect: {hash: tenant}",
                    help="Drop the field: a destination is no place for credentials.",
                )


RULE = Rule("secrets", "SYN504", "Fields of class secret are never written in the clear.", check)
