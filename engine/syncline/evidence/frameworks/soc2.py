"""SOC 2: the Trust Services Criteria (AICPA 2017, points of focus of 2022) that concern data flows."""

from __future__ import annotations

from syncline.evidence.framework import Control, Framework, Responsibility
from syncline.model.event import Action

_SOFTWARE, _OPERATOR, _ORGANISATION = Responsibility.software, Responsibility.operator, Responsibility.organisation

FRAMEWORK = Framework(
    "soc2",
    "SOC 2, Trust Services Criteria 2017 (points of focus 2022)",
    (
        Control(
            "CC1.3",
            "Structures, authorities and responsibilities",
            _ORGANISATION,
            "Each flow names the team that answers for it; who these people are is the organisation's.",
            (),
            ("soc2/owned",),
        ),
        Control(
            "CC2.1",
            "Information to support controls",
            _SOFTWARE,
            "Every plan, apply and run is an entry of an append-only, signed log.",
            (
                Action.run_start,
                Action.run_commit,
                Action.run_finish,
                Action.plan,
                Action.apply_step,
                Action.apply_finish,
            ),
        ),
        Control(
            "CC6.1",
            "Logical access: secrets, isolation, encryption at rest",
            _SOFTWARE,
            "Secrets are references that are read when they are used, each use is logged; tenants are "
            "kept apart; policy demands encryption at rest.",
            (Action.secret_use, Action.policy_decision),
            ("soc2/encryption-at-rest",),
        ),
        Control(
            "CC6.2",
            "Registration and removal of users",
            _OPERATOR,
            "Who may commit to the configuration repository and log in to the machine is the operator's.",
        ),
        Control(
            "CC6.6",
            "Protection against threats from outside",
            _SOFTWARE,
            "Only declared hosts are reached, over TLS 1.3 unless a manifest says otherwise; addresses "
            "are checked before they are used.",
            (Action.policy_decision, Action.connector_check),
        ),
        Control(
            "CC6.7",
            "Transmission and movement of information",
            _SOFTWARE,
            "Policy decides each field that leaves: class, protection, region and recipient.",
            (Action.policy_decision, Action.run_finish),
            ("soc2/restricted-movement",),
        ),
        Control(
            "CC7.1",
            "Detection of configuration changes",
            _SOFTWARE,
            "What is really at a destination is compared with what was left there; plans show every "
            "change before it is applied.",
            (Action.drift_observe, Action.plan),
            ("soc2/bounded-deletes",),
        ),
        Control(
            "CC7.2",
            "Monitoring for anomalies",
            _SOFTWARE,
            "Runs, rejects, denials and failures are events of the log; subscriptions tell people.",
            (Action.run_finish, Action.run_reject, Action.notification_send),
        ),
        Control(
            "CC7.3",
            "Evaluation of security events",
            _OPERATOR,
            "Somebody reads what is told and acts on it.",
        ),
        Control(
            "CC8.1",
            "Change management",
            _SOFTWARE,
            "A change is a commit, is planned, decided by policy, approved where it is risky, and "
            "applied under its commit.",
            (
                Action.plan,
                Action.apply_step,
                Action.apply_finish,
                Action.approval_sign,
                Action.approval_use,
                Action.policy_decision,
            ),
        ),
        Control(
            "CC9.2",
            "Vendor and partner risk",
            _ORGANISATION,
            "Agreements with vendors are named in manifests; concluding them is the organisation's.",
            (),
            ("soc2/vendors",),
        ),
        Control(
            "PI1.2",
            "Completeness and accuracy of inputs",
            _SOFTWARE,
            "Every record read is written, rejected or skipped; rejects are kept; digests of what was read are logged.",
            (Action.run_commit, Action.run_reject, Action.run_finish),
            ("soc2/bounded-rejects",),
        ),
        Control(
            "PI1.5",
            "Stored items and outputs are complete and accurate",
            _SOFTWARE,
            "Rows and their checkpoint are committed together; digests of what was written are logged.",
            (Action.run_commit, Action.run_finish),
            ("soc2/bounded-deletes",),
        ),
        Control(
            "C1.1",
            "Identification of confidential information",
            _SOFTWARE,
            "Fields have classes, and policy decides by them.",
            (Action.policy_decision,),
            ("soc2/identified",),
        ),
        Control(
            "P4.1",
            "Use of personal information",
            _SOFTWARE,
            "Policy decides by the declared purposes of source and destination.",
            (Action.policy_decision,),
            ("soc2/use-limited",),
        ),
        Control(
            "C1.2",
            "Disposal of confidential information",
            _OPERATOR,
            "Retention is declared; disposing of what lies in destinations is their operator's.",
            (),
            ("soc2/disposal",),
        ),
        Control(
            "A1.2",
            "Backups and recovery",
            _OPERATOR,
            "State, keys and log are files or a database that the operator backs up; an older log is refused.",
            (Action.audit_resume,),
        ),
    ),
)
