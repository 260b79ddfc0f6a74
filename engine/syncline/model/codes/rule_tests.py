"""Codes of findings about tests of rules, detections, and windows of changes (SYN690 to SYN694)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN690",
        "test of a rule fails",
        "A rule of a Policy doesn't do what one of its own tests says: it allows what it should find, or the other way "
        "round; or the test has something that no such subject has.",
        "Correct the condition, or the test. `syncline policy test` runs all of them.",
        bad="tests: {deny: [{target: {regoin: us-east}}]}",
        good="tests: {deny: [{target: {region: us-east}}]}",
    ),
    Code(
        "SYN691",
        "detection that can't be used",
        "An entry of a tenant's `detect` has both a form and a pattern, or neither, or its pattern isn't a regular "
        "expression.",
        "Give exactly one of form and pattern; patterns are RE2.",
        bad="- {class: pci.pan}",
        good="- {class: pci.pan, form: card}",
    ),
    Code(
        "SYN692",
        "waits for a window",
        "A tenant or a policy lists spans of the week in which changes may be applied (`changes.windows`), and it "
        "isn't one of them now. What has to do with the change waits as well; everything else is applied.",
        "A daemon applies it when the next window begins; `syncline apply` has to be given again. What can't wait is "
        "applied with `syncline apply --override REASON`.",
    ),
)
