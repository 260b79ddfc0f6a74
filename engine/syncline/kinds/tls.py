"""What is asked of TLS with a system, beside what holds for all."""

from typing import Annotated, Literal

from pydantic import Field

from syncline.kinds.base import Spec


class Tls(Spec):
    """Exceptions from TLS 1.3 with the machine's certificate authorities."""

    min: Annotated[
        Literal["1.2", "1.3"],
        Field(description="Oldest version that is spoken: 1.2 for servers that know no newer one."),
    ] = "1.3"
    ca: Annotated[
        str,
        Field(
            max_length=1024,
            description="File of the repository with the only authorities to trust, in PEM form, for a private one.",
        ),
    ] = ""
    pins: Annotated[
        tuple[Annotated[str, Field(pattern=r"^sha256/[A-Za-z0-9+/]{43}=$")], ...],
        Field(
            max_length=8,
            description="The only keys that the server's certificate may have: sha256/ and the base64 of its SPKI's "
            "digest. Absent: any that an authority vouches for. Give the next one too, before it is used.",
        ),
    ] = ()
