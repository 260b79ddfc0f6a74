"""How an API erases a person, or is asked to.

Templates of these requests read `config`, `record` (only the field by which the person is told: `record.email`), `id`
(of a record that was found) and `idempotency_key` (the same for every attempt of one request).
"""

from typing import Annotated, Final

from pydantic import Field

from syncline.kinds.base import Spec
from syncline.kinds.write import Find, WriteRequest

#: Requests that a stream can declare under `erase`.
ERASING: Final = ("find", "delete", "request")


class Erase(Spec):
    """
    Requests that erase a person for `syncline privacy erase`; those that read another field than the person's are of no
    use to it. What `find` finds is deleted, until it finds nothing more; then `request` is sent. Absent: `write.find`
    and `write.delete`, where they need no other field.
    """

    find: Annotated[
        Find | None,
        Field(
            description="Request that looks for the person's records; its `id` may give a list of ids, its `record` "
            "the records for an export."
        ),
    ] = None
    delete: Annotated[
        WriteRequest | None,
        Field(description="Request that deletes a record by its id; without `find`, all records of the person."),
    ] = None
    request: Annotated[
        WriteRequest | None,
        Field(
            description="Request that has the system erase the person by itself; its `id` is what the system calls it, "
            "and comes on the certificate."
        ),
    ] = None
