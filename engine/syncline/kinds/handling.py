"""How data is handled: what a flow uses it for, what a system does with it, what a purpose needs of it."""

from typing import Annotated, Literal

from pydantic import Field

from syncline.kinds.base import Duration, Glob, Name, Spec

#: Whose system it is. A third party uses data for itself; a processor only as it is told to.
Party = Literal["own", "processor", "third-party"]
#: Article 6(1) of the GDPR, in the order of its letters.
Basis = Literal["consent", "contract", "legal-obligation", "vital-interests", "public-task", "legitimate-interests"]
#: Article 9(2) of the GDPR, in the order of its letters.
Condition = Literal[
    "explicit-consent",
    "employment",
    "vital-interests",
    "non-profit",
    "made-public",
    "legal-claims",
    "public-interest",
    "health-care",
    "public-health",
    "archiving",
]
#: What a transfer to a third country rests on: Articles 45, 46(2)(c) and (d), 47 and 49 of the GDPR.
Transfer = Literal["adequacy", "standard-clauses", "binding-rules", "derogation"]


class Handling(Spec):
    """What the system of an integration does with data, as who answers for it declares: Syncline can't look into it."""

    party: Annotated[
        Party | None,
        Field(
            description="Whose system it is: own, a processor's, who uses data as told to, or a third party's, who "
            "uses it for itself. Absent: undeclared."
        ),
    ] = None
    agreement: Annotated[
        str, Field(description="The contract about processing: of a processor, or of a business associate.")
    ] = ""
    encrypted: Annotated[bool | None, Field(description="Whether data is encrypted at rest. Absent: undeclared.")] = (
        None
    )
    retention: Annotated[
        Duration | None, Field(description="After what time the system deletes records: 365d. Absent: undeclared.")
    ] = None


class Use(Spec):
    """What the records of a flow are used for, and what allows it. Policy judges by it."""

    purpose: Annotated[
        Name | None, Field(description="Purpose, such as billing; one that the Tenant declares, where it declares any.")
    ] = None
    basis: Annotated[Basis | None, Field(description="What makes it lawful: GDPR Art. 6(1).")] = None
    condition: Annotated[
        Condition | None, Field(description="What allows special categories of data: GDPR Art. 9(2).")
    ] = None
    transfer: Annotated[
        Transfer | None, Field(description="What a transfer to another country rests on: GDPR Art. 45 to 49.")
    ] = None
    opt_out: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$",
            description="Boolean source field that is true of who opted out. The mapping's `where` must leave these "
            "records out: `!do_not_sell`.",
        ),
    ] = None


class Purpose(Spec):
    """What a purpose needs: other data is more than the minimum, and longer than this is too long."""

    classes: Annotated[
        tuple[Glob, ...], Field(description="Classes of data that it needs, with '*' for any text; other are refused.")
    ]
    fields: Annotated[
        tuple[Glob, ...],
        Field(description="Target fields with a class that it needs, by name or pattern; empty: any of its classes."),
    ] = ()
    retention: Annotated[
        Duration | None,
        Field(
            description="Longest that destinations may keep it; each flow must declare spec.retention then, or its "
            "destination handling.retention."
        ),
    ] = None
