"""Values of what is shown of witnesses and of evidence."""

from __future__ import annotations

import datetime as dt
from collections import Counter, deque

from syncline.audit.checkpoint import Checkpoint
from syncline.audit.cosignature import CosignerKey
from syncline.audit.cosigning import Asked, Cosigned
from syncline.audit.verify import Cosigned as UpTo
from syncline.audit.verify import Verification
from syncline.audit.witness_policy import Group, Witness, WitnessPolicy
from syncline.evidence.collect import Report, Sample, Shown, Span
from syncline.evidence.framework import Control, Framework, Responsibility
from syncline.model.event import Action

_HEAD = Checkpoint("syncline/b148c2c6", 1_204, bytes(range(32)))
_NORTH, _SOUTH = (
    Witness(name, CosignerKey(f"{name}.example/w1", bytes([number]) * 32), f"https://{name}.example")
    for number, name in ((3, "north"), (5, "south"))
)
POLICY = WitnessPolicy((_NORTH, _SOUTH), {"both": Group("both", 2, ("north", "south"))}, "both")
COSIGNED = Cosigned(
    _HEAD,
    b"",
    (Asked(_NORTH, 1_764_100_000), Asked(_SOUTH, problem="no answer from south.example:443 within 10 s")),
    met=False,
)

_SAMPLE = Sample(1_203, "2026-11-25T19:09:27.100000Z", "ada", "apply.finish", "", "success")
_DENIED = Sample(1_200, "2026-11-24T07:00:00Z", "schedule", "policy.decision", "acme/Sync/<tickets>", "denied")
_CONTROLS = (
    Control("CC8.1", "Change management", Responsibility.software, "A change is a commit.", (Action.apply_finish,)),
    Control(
        "CC6.7", "Movement", Responsibility.software, "Policy decides.", (Action.policy_decision,), ("soc2/moves",)
    ),
    Control("CC7.1", "Detection", Responsibility.software, "Drift is looked for.", (Action.drift_observe,)),
    Control("A1.2", "Backups", Responsibility.operator, "The operator backs it up."),
    Control("CC9.2", "Vendors", Responsibility.organisation, "Agreements are concluded.", (), ("soc2/vendors",)),
)
EVIDENCE = Report(
    Framework("soc2", "SOC 2", _CONTROLS),
    Span(dt.date(2026, 10, 1), dt.date(2026, 12, 31)),
    "2027-01-04T08:00:00.000000Z",
    _HEAD.origin,
    "syncline/b148c2c6+706a456d+ARDlMcebkRo5HW8WiRYxSVRlafzNifqmjkef13NoKPGh",
    _HEAD.size,
    _HEAD.root,
    Verification(_HEAD, (), UpTo(1_150, ("north", "south"))),
    (
        Shown(_CONTROLS[0], Counter(success=41), deque([_SAMPLE])),
        Shown(_CONTROLS[1], Counter(success=900, denied=2), deque([_DENIED]), Counter({"soc2/moves": 902})),
        *map(Shown, _CONTROLS[2:]),
    ),
    {"run.finish": 380, "apply.finish": 41, "policy.decision": 902, "denied": 2},
    ("20261125T190927-8338ce",),
)
