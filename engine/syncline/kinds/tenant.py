"""Tenant: regions and residency, classes of data and where they may go, quotas, access, keys, binding policies."""

import datetime as dt
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from syncline.kinds.base import DataClass, Duration, Form, Glob, Name, Rate, Share, Spec
from syncline.kinds.changes import Changes
from syncline.kinds.drift import TenantDrift
from syncline.kinds.handling import Purpose, Transfer
from syncline.kinds.retention import OwnRetention
from syncline.kinds.suspend import Suspend
from syncline.model.kind import Kind, Reference

#: `api.example.com`, `*.corp.example`, `10.20.0.0/16`, `fd12:3456::/32`.
HostPattern = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_.*:-]+(/\d{1,3})?$", min_length=1, max_length=253),
    Form("A host name, with '*' for any text, an address or a network: 10.20.0.0/16."),
]
#: `vault:secret/acme/*`, `env:ACME_*`.
SecretPattern = Annotated[
    str,
    Field(pattern=r"^[a-z0-9-]+:\S+$", max_length=576),
    Form("A secret as PROVIDER:KEY, with '*' for any text: vault:secret/acme/*."),
]
#: How a field can be protected on its way; `drop` never leaves the pipeline at all.
Protection = Literal["drop", "mask", "hash", "tokenize", "preserve", "generalize"]


#: What somebody is to a tenant; see `Access`.
Role = Literal["viewer", "operator", "engineer", "security", "admin"]


class Residency(Spec):
    """Data of these classes may flow only to integrations in these regions."""

    classes: Annotated[
        tuple[Glob, ...], Field(min_length=1, description="Classes of data, with '*' for any text: pii.*.")
    ]
    regions: Annotated[
        tuple[Glob, ...], Field(min_length=1, description="Regions that may hold them, with '*' for any text: eu-*.")
    ]
    unless: Annotated[
        tuple[Protection, ...],
        Field(description="Protections under which they may flow anywhere; a dropped field always may."),
    ] = ("drop",)
    transfers: Annotated[
        tuple[Transfer, ...],
        Field(description="What flows may rest a transfer to other regions on, in `use.transfer`; empty: nothing."),
    ] = ()


class ClassRule(Spec):
    """Where data of these classes may go, by integration."""

    classes: Annotated[
        tuple[Glob, ...], Field(min_length=1, description="Classes of data, with '*' for any text: pci.*.")
    ]
    allow: Annotated[
        tuple[Glob, ...], Field(description="Integrations that may receive them, by name or pattern; others may not.")
    ] = ()
    deny: Annotated[
        tuple[Glob, ...],
        Field(description="Integrations that may not receive them, by name or pattern; it wins over allow."),
    ] = ()
    unless: Annotated[
        tuple[Protection, ...],
        Field(description="Protections under which the rule doesn't apply; nor does it to a dropped field."),
    ] = ("drop",)


class Detect(Spec):
    """
    A class of data that values show; exactly one of `form` and `pattern` says how. In a field that nothing declares to
    be of the class, and that is written in the clear, it counts as declared once it is found: policy is asked again,
    and what it denies ends the run before the batch is written.
    """

    data_class: Annotated[DataClass, Field(alias="class", description="Class that is found: pci.pan.")]
    form: Annotated[
        Literal["email", "card", "iban"] | None,
        Field(description="Found anywhere in a text: e-mail addresses, and card numbers and IBANs by check digits."),
    ] = None
    pattern: Annotated[
        str | None, Field(description="Regular expression (RE2) that a whole value matches: 'E[0-9]{6}'.")
    ] = None
    at_least: Annotated[
        Share, Field(description="Fewest values of a field in a batch that count: a count, or a share of them.")
    ] = "1"


class Quotas(Spec):
    """Upper bounds for everything the tenant runs."""

    requests: Annotated[
        Rate | None,
        Field(
            description="Most requests of all its runs together to HTTP APIs in any span of that length, such as "
            "600/min; others wait."
        ),
    ] = None
    concurrent_runs: Annotated[
        int | None, Field(ge=1, description="Most runs at the same time; others wait for their turn.")
    ] = None
    rows_per_day: Annotated[
        int | None,
        Field(ge=1, description="Most rows written in a day (UTC), give or take a batch; runs go on the day after."),
    ] = None
    spool: Annotated[
        str | None,
        Field(
            pattern=r"^\d+(Ki|Mi|Gi)$",
            description="Most disk, such as 10Gi, for the rejects that are kept of all its runs, and for what one "
            "packed file unpacks to while it is read. A run that needs more stops.",
        ),
    ] = None


class Egress(Spec):
    """
    Which hosts the tenant's flows may reach over HTTP, SFTP and SMTP; those of databases aren't bounded by it.
    Addresses behind a name are checked, and the connection is made to a checked one. Link-local, reserved and
    cloud-metadata addresses are never reached.
    """

    allow: Annotated[
        tuple[HostPattern, ...],
        Field(description="The only hosts and networks that may be reached, besides `private`; empty: any public one."),
    ] = ()
    private: Annotated[
        tuple[HostPattern, ...],
        Field(
            description="Hosts at private or loopback addresses, and such networks, that may be reached; empty: none."
        ),
    ] = ()
    deny: Annotated[
        tuple[HostPattern, ...],
        Field(description="Hosts and networks that may not be reached, whatever else allows them."),
    ] = ()


class Access(Spec):
    """
    Who may do what with the tenant by commands. What Git declares and a daemon starts needs no role: who may change
    that is the repository's business.

    A viewer sees how it stands; an operator runs besides; an engineer looks at records besides; security sees, opens
    what is sealed, answers requests of people and cares for keys; an admin may do all.
    """

    roles: Annotated[
        dict[Role, tuple[str, ...]],
        Field(
            description="Who has which role: names that the audit log has (SYNCLINE_ACTOR, else the account), or "
            "'@group' for a group of the system. Empty: everybody may do all."
        ),
    ] = {}
    identity: Annotated[
        Literal["claimed", "login"],
        Field(
            description="Whose roles count: claimed: of SYNCLINE_ACTOR, else of the account; login: of the account "
            "that logged in to the machine, which neither a variable nor sudo changes, whoever is claimed to act."
        ),
    ] = "claimed"


class Hold(Spec):
    """A legal hold: what these flows wrote of anybody isn't erased while it lasts."""

    flows: Annotated[
        tuple[Glob, ...],
        Field(min_length=1, description="Syncs and imports, as Kind/name with '*' for any text: Import/claims-*."),
    ]
    reason: Annotated[str, Field(min_length=1, description="Why, such as the proceedings that it is for.")]
    owner: Annotated[str, Field(min_length=1, description="Who answers for it.")]
    until: Annotated[
        dt.date | None, Field(strict=False, description="Last day (UTC) of the hold; without one, until it is removed.")
    ] = None

    def covers(self, flow: str, today: dt.date) -> bool:
        """Whether it holds a flow, as `Kind/name`, on a day."""
        return (self.until is None or self.until >= today) and any(fnmatchcase(flow, glob) for glob in self.flows)


class Keys(Spec):
    """The keys that seal what is kept of the tenant, such as tokens. Each run's rejects have one of their own."""

    rotation: Annotated[
        Duration | None,
        Field(
            description="Age at which another key seals, from the tenant's next run on, such as 365d. What was sealed "
            "before opens as before. Absent: one key seals for good."
        ),
    ] = None


class Statistics(Spec):
    """Whether, and among how many, the tenant is counted in figures over all tenants."""

    join: Annotated[bool, Field(description="Whether it is counted in figures over all tenants.")] = True
    among: Annotated[
        int, Field(ge=3, description="Fewest tenants that a figure with this one in it must have; the largest counts.")
    ] = 5


class TenantSpec(Spec):
    """A tenant: whose data it is, where it may be, and what binds it."""

    title: Annotated[str, Field(description="Name for people; it has no effect.")] = ""
    owner: Annotated[str, Field(description="Who answers for it, for people; it has no effect.")] = ""
    suspend: Annotated[
        Suspend | None, Field(description="Keeps all of its flows from running, with a reason; absent: they run.")
    ] = None
    regions: Annotated[
        tuple[Glob, ...], Field(description="Regions that its integrations may be in, such as eu-*; empty: any.")
    ] = ()
    residency: Annotated[
        tuple[Residency, ...],
        Field(description="Regions that classes of data may flow to; a field elsewhere is denied."),
    ] = ()
    classes: Annotated[
        tuple[ClassRule, ...], Field(description="Integrations that classes of data may, or may not, flow to.")
    ] = ()
    purposes: Annotated[
        dict[Name, Purpose],
        Field(
            description="Purposes that data with a class may be used for, by name; every flow of such data names one "
            "then. Empty: purposes aren't checked."
        ),
    ] = {}
    detect: Annotated[
        tuple[Detect, ...],
        Field(description="Classes that runs look for in values of fields that nobody classified or protected."),
    ] = ()
    quotas: Annotated[
        Quotas, Field(description="Upper bounds for everything it runs; what each field says is enforced.")
    ] = Quotas.model_construct()
    secrets: Annotated[
        tuple[SecretPattern, ...],
        Field(description="The only secrets that its manifests may refer to, as PROVIDER:KEY; empty: any."),
    ] = ()
    egress: Annotated[
        Egress,
        Field(
            description="Which hosts its flows may reach: over HTTP, SFTP and SMTP, by default, any that is public; "
            "databases at any, unless something is said here, which then binds them as well."
        ),
    ] = Egress.model_construct()
    access: Annotated[
        Access, Field(description="Who may do what by commands; absent: everybody who has the home folder.")
    ] = Access.model_construct()
    keys: Annotated[Keys, Field(description="When another key seals what is kept of it; absent: never.")] = (
        Keys.model_construct()
    )
    statistics: Annotated[
        Statistics, Field(description="How it is counted in figures over all tenants, which never tell its own.")
    ] = Statistics.model_construct()
    holds: Annotated[
        tuple[Hold, ...], Field(description="Legal holds: what `syncline privacy erase` leaves, and certifies as held.")
    ] = ()
    retention: Annotated[
        OwnRetention | None,
        Field(description="How long what its runs leave with us is kept: rejects and logs. Absent: without an end."),
    ] = None
    max_deletes: Annotated[
        Share | None,
        Field(
            description="Most of its objects that one commit may retire: a share of those applied, or a count. What "
            "was applied before counts. Absent: what holds for all that is applied."
        ),
    ] = None
    changes: Annotated[
        Changes, Field(description="Approvals that changes need, and when they may be applied, by a daemon.")
    ] = Changes.model_construct()
    drift: Annotated[
        TenantDrift,
        Field(
            description="What is done where destinations of its flows aren't as runs left them, and webhooks and "
            "schedules not as declared; a flow or a webhook may differ."
        ),
    ] = TenantDrift.model_construct()
    policies: Annotated[
        tuple[Name, ...], Field(description="Policies that bind it, besides the shared ones of the repository.")
    ] = ()


def _references(spec: BaseModel) -> tuple[Reference, ...]:
    assert isinstance(spec, TenantSpec)
    return tuple(Reference("Policy", name, ("spec", "policies", i)) for i, name in enumerate(spec.policies))


KIND = Kind(
    name="Tenant",
    plural="tenants",
    spec=TenantSpec,
    scope="shared",
    order=0,
    summary="Whose data it is: regions and residency, where classes of data may go, quotas, access, keys, policies.",
    references=_references,
    refers={"policies": ("Policy",)},
    example="""\
apiVersion: syncline/v1
kind: Tenant
metadata: {name: acme}
spec:
  title: Acme GmbH
  regions: [eu-*]
  residency:
  - {classes: [pii.*], regions: [eu-*], unless: [drop, hash]}
""",
)
