"""One HTTP request, as connectors declare it for streams, checks and writes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue

from syncline.kinds.base import Spec, Template


class Request(Spec):
    """One HTTP request; exactly one method."""

    get: Annotated[Template | None, Field(description="Path of a GET request under the base URL: /tickets.")] = None
    post: Annotated[Template | None, Field(description="Path of a POST request under the base URL.")] = None
    put: Annotated[Template | None, Field(description="Path of a PUT request under the base URL.")] = None
    patch: Annotated[Template | None, Field(description="Path of a PATCH request under the base URL.")] = None
    delete: Annotated[Template | None, Field(description="Path of a DELETE request under the base URL.")] = None
    query: Annotated[
        dict[str, Template], Field(description="URL parameters as templates; one that comes out empty is left out.")
    ] = {}
    headers: Annotated[
        dict[str, Template], Field(description="Headers as templates; one that comes out empty is left out.")
    ] = {}
    body: Annotated[JsonValue, Field(description="JSON that is sent; its texts are templates.")] = None
