"""The General Data Protection Regulation: articles that concern data flows."""

from __future__ import annotations

from syncline.evidence.framework import Control, Framework, Responsibility
from syncline.model.event import Action

_SOFTWARE, _OPERATOR, _ORGANISATION = Responsibility.software, Responsibility.operator, Responsibility.organisation

FRAMEWORK = Framework(
    "gdpr",
    "GDPR, Regulation (EU) 2016/679",
    (
        Control(
            "art-5.1.a",
            "Lawfulness, fairness and transparency",
            _ORGANISATION,
            "Flows name their lawful basis, and policy refuses those that don't; whether it applies is "
            "the controller's.",
            (),
            ("gdpr/lawful-basis",),
        ),
        Control(
            "art-5.1.b",
            "Purpose limitation",
            _SOFTWARE,
            "Policy decides by the declared purposes of source and destination.",
            (Action.policy_decision,),
            ("gdpr/purpose",),
        ),
        Control(
            "art-5.1.c",
            "Data minimisation",
            _SOFTWARE,
            "Only mapped fields move; policy decides each by its class and purpose.",
            (Action.policy_decision,),
            ("gdpr/purposes-declared",),
        ),
        Control(
            "art-5.1.e",
            "Storage limitation",
            _OPERATOR,
            "Retention is declared; deleting what lies in destinations is their operator's.",
            (),
            ("gdpr/storage-limitation",),
        ),
        Control(
            "art-5.1.f",
            "Integrity and confidentiality",
            _SOFTWARE,
            "TLS 1.3, encryption at rest, digests of what was read and written.",
            (Action.policy_decision, Action.run_finish),
            ("gdpr/encryption",),
        ),
        Control(
            "art-5.2",
            "Accountability",
            _SOFTWARE,
            "What was decided, moved, refused and by whom is an append-only, signed log with proofs.",
            (
                Action.plan,
                Action.apply_step,
                Action.apply_finish,
                Action.run_start,
                Action.run_commit,
                Action.run_finish,
                Action.policy_decision,
                Action.audit_export,
            ),
        ),
        Control(
            "art-9",
            "Special categories of personal data",
            _SOFTWARE,
            "Policy refuses fields of special categories without a ground that is declared.",
            (Action.policy_decision,),
            ("gdpr/special-categories",),
        ),
        Control(
            "art-17",
            "Right to erasure",
            _OPERATOR,
            "Flows declare how deletes reach copies; answering a request is the controller's.",
            (),
            ("gdpr/erasure-reaches-copies",),
        ),
        Control(
            "art-25",
            "Data protection by design and by default",
            _SOFTWARE,
            "Mappings mask, hash, generalise and drop; policy demands it before anything moves.",
            (Action.policy_decision,),
            (
                "gdpr/identification-numbers",
                "gdpr/purposes-declared",
            ),
        ),
        Control(
            "art-28",
            "Processors",
            _ORGANISATION,
            "Agreements are named in manifests; concluding them is the controller's.",
            (),
            ("gdpr/processors",),
        ),
        Control(
            "art-30",
            "Records of processing activities",
            _SOFTWARE,
            "Flows, purposes, recipients and classes are declared, and each change of them is logged.",
            (Action.apply_step, Action.apply_finish),
            ("gdpr/recipients",),
        ),
        Control(
            "art-32",
            "Security of processing",
            _SOFTWARE,
            "Encryption, isolation of tenants, least egress, and tests of them by rehearsal and drift.",
            (Action.policy_decision, Action.secret_use, Action.drift_observe),
            ("gdpr/encryption",),
        ),
        Control(
            "art-33",
            "Notification of a breach",
            _ORGANISATION,
            "Denials and failures are told and logged; judging and notifying is the controller's.",
        ),
        Control(
            "art-44",
            "Transfers to third countries",
            _SOFTWARE,
            "Policy decides by regions and by the ground that is declared.",
            (Action.policy_decision,),
            ("gdpr/transfers",),
        ),
    ),
)
