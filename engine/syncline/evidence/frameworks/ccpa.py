"""The California Consumer Privacy Act, as amended by the CPRA: sections of the Civil Code that concern data flows."""

from __future__ import annotations

from syncline.evidence.framework import Control, Framework, Responsibility
from syncline.model.event import Action

_SOFTWARE, _OPERATOR, _ORGANISATION = Responsibility.software, Responsibility.operator, Responsibility.organisation

FRAMEWORK = Framework(
    "ccpa",
    "CCPA, California Civil Code §1798.100 to §1798.199.100",
    (
        Control(
            "1798.100.a.1",
            "Purposes that consumers are told of",
            _ORGANISATION,
            "Flows name their purpose, and policy refuses those that don't; the notice is the business's.",
            (Action.policy_decision,),
            ("ccpa/purpose",),
        ),
        Control(
            "1798.100.a.3",
            "Retention no longer than disclosed",
            _OPERATOR,
            "Flows declare how long rows are kept, and old ones are deleted; what else keeps them is its operator's.",
            (Action.retention_delete, Action.policy_decision),
            ("ccpa/retention",),
        ),
        Control(
            "1798.100.c",
            "Necessary and proportionate use",
            _SOFTWARE,
            "Only mapped fields move; a tenant says which classes of data each purpose needs.",
            (Action.policy_decision,),
            ("ccpa/proportionate",),
        ),
        Control(
            "1798.100.d",
            "Agreements with third parties, service providers and contractors",
            _ORGANISATION,
            "Agreements are named in manifests, and policy refuses flows without; concluding them is the business's.",
            (Action.policy_decision,),
            ("ccpa/contracts",),
        ),
        Control(
            "1798.100.e",
            "Reasonable security",
            _SOFTWARE,
            "TLS 1.3, values of records sealed at rest, isolation of tenants, least egress, digests of what was moved.",
            (Action.policy_decision, Action.secret_use, Action.run_finish),
            ("ccpa/security",),
        ),
        Control(
            "1798.105",
            "Right to delete",
            _SOFTWARE,
            "A request goes to every destination, each acknowledgement is recorded, and who was erased is kept away.",
            (Action.privacy_erase, Action.privacy_acknowledge, Action.privacy_suppress),
            ("ccpa/deletion-reaches-copies",),
        ),
        Control(
            "1798.106",
            "Right to correct",
            _OPERATOR,
            "A correction at the source reaches copies with the next run; making it there is its operator's.",
            (Action.run_finish,),
        ),
        Control(
            "1798.110",
            "Right to know what is collected",
            _SOFTWARE,
            "What flows hold of a person is exported on request, by lineage.",
            (Action.privacy_export,),
            ("ccpa/recipients",),
        ),
        Control(
            "1798.115",
            "Right to know what is sold or shared, and to whom",
            _SOFTWARE,
            "Whose system each flow writes to is declared, and each change of it is logged.",
            (Action.apply_step, Action.policy_decision),
            ("ccpa/recipients",),
        ),
        Control(
            "1798.120",
            "Right to opt out of sale or sharing",
            _SOFTWARE,
            "Policy refuses flows to third parties that don't leave out who has opted out.",
            (Action.policy_decision,),
            ("ccpa/opt-out-of-sale",),
        ),
        Control(
            "1798.121",
            "Right to limit the use of sensitive personal information",
            _SOFTWARE,
            "Sensitive fields don't reach third parties in the clear.",
            (Action.policy_decision,),
            ("ccpa/sensitive-information",),
        ),
        Control(
            "1798.130",
            "Answering requests in time",
            _ORGANISATION,
            "Requests have an id and a signed certificate; taking them in and keeping terms is the business's.",
            (Action.privacy_export, Action.privacy_erase),
        ),
        Control(
            "1798.135",
            "Ways to opt out, and signals",
            _ORGANISATION,
            "A field that says so is honoured by flows; offering the link and reading the signal is the business's.",
            (Action.policy_decision,),
            ("ccpa/opt-out-of-sale",),
        ),
        Control(
            "1798.150",
            "Breaches of what isn't encrypted or redacted",
            _SOFTWARE,
            "Policy demands that personal information is encrypted where it is kept, or protected before it moves.",
            (Action.policy_decision,),
            ("ccpa/security",),
        ),
    ),
)
