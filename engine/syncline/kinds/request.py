"""One HTTP request, as connectors declare it for streams, checks and writes."""

from typing import Annotated, Final, Literal

from pydantic import Field, JsonValue

from syncline.kinds.base import Spec, Template

METHODS: Final = ("get", "post", "put", "patch", "delete")
#: What a request may send, of which it has one at most.
BODIES: Final = ("body", "form", "multipart", "raw", "graphql")
MEDIA_TYPE: Final = r"^[\w.+-]+/[\w.+-]+(;[ -~]*)?$"
Repeated = Annotated[tuple[Template, ...], Field(min_length=1, max_length=100)]
#: A parameter of a URL, or a field of a form: a template, or a list of them, for one that comes several times.
Parameter = Template | Repeated


class Raw(Spec):
    """A body that is sent as it is written."""

    text: Annotated[
        Template, Field(description="The body, a template: <query><since>{{ start }}</since></query>. Sent as UTF-8.")
    ]
    content_type: Annotated[str, Field(pattern=MEDIA_TYPE, description="Its media type, such as application/xml.")] = (
        "text/plain; charset=utf-8"
    )


class Part(Spec):
    """A part of a form with files; exactly one of `text`, `json` and `base64`. One that comes out empty is left out."""

    name: Annotated[str, Field(min_length=1, max_length=256, description="Name of the form's field; it may repeat.")]
    text: Annotated[Template | None, Field(description="Its content as text, a template. Sent as UTF-8.")] = None
    content: Annotated[
        JsonValue,
        Field(alias="json", description="Its content as JSON, with templates in it as in `body`: '{{ record }}'."),
    ] = None
    base64: Annotated[
        Template | None,
        Field(
            description="Its content as a template of base64 (RFC 4648, section 4): '{{ record.photo }}'. Sent as the "
            "bytes that it stands for."
        ),
    ] = None
    filename: Annotated[
        Template | None, Field(description="Name of the file that it is, a template: contacts.csv. Absent: no file.")
    ] = None
    content_type: Annotated[
        str | None,
        Field(
            pattern=MEDIA_TYPE,
            description="Its media type. Absent: application/json for json, application/octet-stream for base64, "
            "text/plain for a file of text, none for other text.",
        ),
    ] = None


class GraphQL(Spec):
    """A GraphQL operation, sent as JSON."""

    query: Annotated[
        str,
        Field(
            min_length=1,
            max_length=65536,
            description="The document with its operation. It is no template: values go in as variables.",
        ),
    ]
    variables: Annotated[
        dict[str, JsonValue],
        Field(
            description="Variables of the operation; their texts are templates, and one that is a single {{ value }} "
            "keeps that value's type. Paging and bounds have the places variables.NAME."
        ),
    ] = {}
    operation: Annotated[str | None, Field(description="Which operation is run, where the document has several.")] = (
        None
    )
    connection: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$",
            description="Path of a connection in the answer, such as data.tickets: its nodes are the records, and its "
            "pageInfo has the paging (the GraphQL Cursor Connections specification). Streams only.",
        ),
    ] = None
    after: Annotated[
        str, Field(pattern=r"^[A-Za-z_]\w*$", description="Variable that the connection's cursor goes into.")
    ] = "after"
    partial: Annotated[
        Literal["refuse", "accept"],
        Field(
            description="What an answer with data and errors is: refuse takes it as an error, accept uses the data. "
            "Errors without data always end the run."
        ),
    ] = "refuse"


class Request(Spec):
    """One HTTP request; exactly one method, and at most one of `body`, `form`, `multipart`, `raw` and `graphql`."""

    get: Annotated[
        Template | None,
        Field(
            description="Path of a GET request under the base URL: /tickets. What a URL can't hold as it is, such as "
            "spaces and umlauts, is percent-encoded."
        ),
    ] = None
    post: Annotated[Template | None, Field(description="Path of a POST request under the base URL.")] = None
    put: Annotated[Template | None, Field(description="Path of a PUT request under the base URL.")] = None
    patch: Annotated[Template | None, Field(description="Path of a PATCH request under the base URL.")] = None
    delete: Annotated[Template | None, Field(description="Path of a DELETE request under the base URL.")] = None
    query: Annotated[
        dict[str, Parameter],
        Field(
            description="URL parameters as templates; one that comes out empty is left out. A list is sent as several, "
            "and so is an item that is one {{ list }}: {tag: ['{{ config.tags | split }}']} is tag=a&tag=b."
        ),
    ] = {}
    headers: Annotated[
        dict[str, Template], Field(description="Headers as templates; one that comes out empty is left out.")
    ] = {}
    body: Annotated[
        JsonValue,
        Field(
            description="JSON that is sent; its texts are templates, and one that is a single {{ value }} keeps that "
            "value's type."
        ),
    ] = None
    form: Annotated[
        dict[str, Parameter] | None,
        Field(
            description="Fields sent as application/x-www-form-urlencoded, as templates; one that comes out empty is "
            "left out, and a list stands for several, as in `query`."
        ),
    ] = None
    multipart: Annotated[
        tuple[Part, ...] | None,
        Field(
            min_length=1,
            max_length=100,
            description="Parts sent as multipart/form-data (RFC 7578), in this order: fields of a form, and files.",
        ),
    ] = None
    raw: Annotated[Raw | None, Field(description="A body of any other type, as text.")] = None
    graphql: Annotated[GraphQL | None, Field(description="A GraphQL query; errors in its answer are errors.")] = None
