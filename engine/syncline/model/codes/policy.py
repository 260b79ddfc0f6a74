"""Codes of findings about policy and data flows (SYN5xx)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN500",
        "denied by policy",
        "A policy or a guard of the tenant refuses this.",
        "Change it, or have the policy's owner allow it.",
    ),
    Code(
        "SYN501",
        "classified data leaves its regions",
        "A field of a class that the tenant keeps in certain regions would be written to another, in the clear.",
        "Protect the field, drop it, or write it to an integration in an allowed region.",
        bad="- {to: email, from: email, class: pii.email}",
        good="- {to: email, from: email, class: pii.email, protect: {hash: tenant}}",
    ),
    Code(
        "SYN502",
        "classified data to a forbidden integration",
        "The tenant lists which integrations may receive data of this class; this one may not.",
        "Protect or drop the field, or choose another destination.",
    ),
    Code(
        "SYN503",
        "integration outside the tenant's regions",
        "A tenant's integrations may only be in the regions that the tenant lists.",
        "Use an endpoint in an allowed region, or have the tenant's owner add the region.",
    ),
    Code(
        "SYN504",
        "secret written in the clear",
        "Fields of class secret may never be written as they are, whatever a tenant allows.",
        "Drop the field, or hash it: protect: {hash: tenant}.",
    ),
    Code(
        "SYN505",
        "system reached without TLS",
        "An integration on another machine is reached over plain HTTP: data and credentials can be read on the way.",
        "Use the https address of the system.",
    ),
    Code(
        "SYN510",
        "declared rule broken",
        "A rule in a Policy manifest, written in CEL, doesn't hold for this object, flow or change.",
        "Do what the rule's message says, or ask its owner for an exception with an end.",
    ),
    Code(
        "SYN511",
        "rule is not valid CEL",
        "The condition of a rule can't be compiled; a policy that can't be evaluated denies.",
        "Correct the condition: see `syncline explain Policy.rules`.",
    ),
)
