"""ISO/IEC 27001:2022, the controls of Annex A that concern data flows."""

from __future__ import annotations

from syncline.evidence.framework import Control, Framework, Responsibility
from syncline.model.event import Action

_SOFTWARE, _OPERATOR, _ORGANISATION = Responsibility.software, Responsibility.operator, Responsibility.organisation

FRAMEWORK = Framework(
    "iso27001",
    "ISO/IEC 27001:2022, Annex A",
    (
        Control(
            "A.5.9",
            "Inventory of information and other assets",
            _SOFTWARE,
            "Every flow, system and mapping is declared in Git, with its owner.",
            (Action.apply_step,),
            ("iso27001/owners-of-assets",),
        ),
        Control(
            "A.5.12",
            "Classification of information",
            _SOFTWARE,
            "Fields have classes, and policy decides by them.",
            (Action.policy_decision,),
            ("iso27001/classification",),
        ),
        Control(
            "A.5.14",
            "Information transfer",
            _SOFTWARE,
            "Policy decides each field that leaves: class, protection, region and recipient.",
            (Action.policy_decision, Action.run_finish),
            ("iso27001/information-transfer",),
        ),
        Control(
            "A.5.17",
            "Authentication information",
            _SOFTWARE,
            "Secrets are references; each use is logged by its name.",
            (Action.secret_use, Action.auth_login, Action.auth_logout),
        ),
        Control(
            "A.5.18",
            "Access rights",
            _OPERATOR,
            "Who may commit, approve and log in is the operator's.",
        ),
        Control(
            "A.5.20",
            "Security within supplier agreements",
            _ORGANISATION,
            "Agreements are named in manifests; concluding them is the organisation's.",
            (),
            ("iso27001/supplier-agreements",),
        ),
        Control(
            "A.5.24",
            "Incident management planning",
            _ORGANISATION,
            "Failures are told; who answers and how is the organisation's.",
        ),
        Control(
            "A.5.28",
            "Collection of evidence",
            _SOFTWARE,
            "The log is append-only, signed, cosigned where witnesses are declared, and exported with proofs.",
            (Action.audit_export, Action.run_attest),
        ),
        Control(
            "A.5.33",
            "Protection of records",
            _SOFTWARE,
            "Changes, gaps and rollbacks of the log are detected by whoever has its key, a kept "
            "checkpoint or a witness.",
            (Action.audit_export, Action.audit_resume),
        ),
        Control(
            "A.5.34",
            "Privacy and protection of personal information",
            _SOFTWARE,
            "Policy demands protection of personal fields; mappings mask, hash or drop them.",
            (Action.policy_decision,),
            ("iso27001/privacy",),
        ),
        Control(
            "A.8.10",
            "Information deletion",
            _OPERATOR,
            "Retention is declared; deleting what lies in destinations is their operator's.",
            (),
            ("iso27001/deletion",),
        ),
        Control(
            "A.8.11",
            "Data masking",
            _SOFTWARE,
            "Mappings mask, hash and generalise; policy demands it.",
            (Action.policy_decision,),
            ("iso27001/masking",),
        ),
        Control(
            "A.8.12",
            "Data leakage prevention",
            _SOFTWARE,
            "Only declared hosts are reached; policy stops fields that may not leave.",
            (Action.policy_decision,),
            ("iso27001/leakage-prevention",),
        ),
        Control(
            "A.8.13",
            "Information backup",
            _OPERATOR,
            "State, keys and log are backed up by the operator; an older log is refused.",
            (Action.audit_resume,),
        ),
        Control(
            "A.8.15",
            "Logging",
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
            ),
        ),
        Control(
            "A.8.16",
            "Monitoring activities",
            _SOFTWARE,
            "Runs, rejects and drift are events; subscriptions tell people.",
            (Action.run_finish, Action.drift_observe, Action.notification_send),
        ),
        Control(
            "A.8.17",
            "Clock synchronisation",
            _OPERATOR,
            "Times in the log are the machine's; keeping its clock is the operator's.",
        ),
        Control(
            "A.8.24",
            "Use of cryptography",
            _SOFTWARE,
            "TLS 1.3, envelope encryption at rest, signatures of the log; keys are created and used by the software.",
            (Action.key_create, Action.policy_decision),
            ("iso27001/cryptography",),
        ),
        Control(
            "A.8.32",
            "Change management",
            _SOFTWARE,
            "A change is a commit, is planned, decided by policy, approved where it is risky, and "
            "applied under its commit.",
            (Action.plan, Action.apply_step, Action.apply_finish, Action.approval_sign, Action.approval_use),
        ),
    ),
)
