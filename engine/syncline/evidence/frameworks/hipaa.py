"""The HIPAA Privacy and Security Rules (45 CFR 164): standards that concern data flows."""

from __future__ import annotations

from syncline.evidence.framework import Control, Framework, Responsibility
from syncline.model.event import Action

_SOFTWARE, _OPERATOR, _ORGANISATION = Responsibility.software, Responsibility.operator, Responsibility.organisation

FRAMEWORK = Framework(
    "hipaa",
    "HIPAA, 45 CFR Part 164",
    (
        Control(
            "164.308.a.1",
            "Security management process",
            _ORGANISATION,
            "Risks are the organisation's to analyse; findings of policy and drift are material for it.",
        ),
        Control(
            "164.308.a.4",
            "Information access management",
            _OPERATOR,
            "Who may commit, approve and log in is the operator's.",
        ),
        Control(
            "164.308.a.5",
            "Log-in monitoring and awareness",
            _OPERATOR,
            "Logins to APIs are logged; training people is the organisation's.",
            (Action.auth_login, Action.auth_logout),
        ),
        Control(
            "164.308.a.7",
            "Contingency plan",
            _OPERATOR,
            "State, keys and log are backed up by the operator; an older log is refused.",
            (Action.audit_resume,),
        ),
        Control(
            "164.308.b",
            "Business associate contracts",
            _ORGANISATION,
            "Agreements are named in manifests; concluding them is the organisation's.",
            (),
            ("hipaa/business-associates",),
        ),
        Control(
            "164.312.a",
            "Access control and encryption at rest",
            _SOFTWARE,
            "Secrets are references whose uses are logged; policy demands encryption at rest of health information.",
            (Action.secret_use, Action.policy_decision),
            ("hipaa/encryption-at-rest",),
        ),
        Control(
            "164.312.b",
            "Audit controls",
            _SOFTWARE,
            "Every plan, decision, apply, run and use of a secret is an entry of an append-only, signed log.",
            (
                Action.plan,
                Action.apply_step,
                Action.apply_finish,
                Action.run_start,
                Action.run_commit,
                Action.run_finish,
                Action.secret_use,
                Action.policy_decision,
            ),
        ),
        Control(
            "164.312.c",
            "Integrity",
            _SOFTWARE,
            "Rows and checkpoint are committed together; digests of what was read and written are logged.",
            (Action.run_commit, Action.run_finish),
            ("hipaa/destruction-is-bounded",),
        ),
        Control(
            "164.312.d",
            "Person or entity authentication",
            _OPERATOR,
            "Approvals are signed with people's keys; identities are the operator's.",
            (Action.approval_sign, Action.approval_use),
        ),
        Control(
            "164.312.e",
            "Transmission security",
            _SOFTWARE,
            "TLS 1.3 unless a manifest says otherwise; only declared hosts are reached.",
            (Action.policy_decision, Action.connector_check),
        ),
        Control(
            "164.316.b",
            "Documentation, kept for six years",
            _OPERATOR,
            "The log keeps everything; keeping the log is the operator's.",
            (Action.audit_export,),
        ),
        Control(
            "164.502.a",
            "Uses and disclosures",
            _SOFTWARE,
            "Policy refuses disclosures without a ground that is declared.",
            (Action.policy_decision,),
            ("hipaa/disclosures",),
        ),
        Control(
            "164.502.b",
            "Minimum necessary",
            _SOFTWARE,
            "Only mapped fields move; policy decides each by its class and purpose.",
            (Action.policy_decision,),
            (
                "hipaa/minimum-necessary",
                "hipaa/purposes-declared",
            ),
        ),
        Control(
            "164.514",
            "De-identification",
            _SOFTWARE,
            "Mappings drop and generalise what the safe harbor names; policy demands it.",
            (Action.policy_decision,),
            (
                "hipaa/safe-harbor",
                "hipaa/safe-harbor-dates",
                "hipaa/safe-harbor-ages",
                "hipaa/safe-harbor-places",
            ),
        ),
        Control(
            "164.528",
            "Accounting of disclosures",
            _SOFTWARE,
            "Each run that wrote to a recipient is logged with its counts and digests, and can be attested.",
            (Action.run_finish, Action.run_attest),
            ("hipaa/recipients",),
        ),
    ),
)
