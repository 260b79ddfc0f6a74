"""How a stream of an API is read: once or for each of something, page by page, and past a cursor."""

from typing import Annotated, Final, Literal

from pydantic import Field

from syncline.kinds.base import Duration, GivenDuration, Identifier, Jmespath, Spec, StreamName


class FromHeader(Spec):
    """A value that a response header gives."""

    header: Annotated[str, Field(min_length=1, description="Name of the response header: Next-Page, ETag.")]


#: Where an answer says something: an expression over the body, or a header.
Told = Jmespath | FromHeader


class Page(Spec):
    """How the next page is asked for; exactly one of `cursor`, `page`, `offset`, `next`, `link`."""

    cursor: Annotated[
        Told | None,
        Field(
            description="JMESPath expression over the body that gives the cursor of the next page; null on the last. "
            "{header: NAME} where a response header gives it."
        ),
    ] = None
    page: Annotated[
        str | None, Field(description="Where the page's number goes: query.page. The first page without records ends.")
    ] = None
    offset: Annotated[
        str | None,
        Field(
            description="Where the number of records so far goes: query.offset. The first page without records ends."
        ),
    ] = None
    next: Annotated[
        Told | None,
        Field(
            description="JMESPath expression over the body that gives the URL of the next page; null on the last. "
            "{header: NAME} where a response header gives it."
        ),
    ] = None
    link: Annotated[
        str | None, Field(description="Relation of the Link header (RFC 8288) that gives the next page's URL: next.")
    ] = None
    into: Annotated[str | None, Field(description="Where the cursor goes in the request: query.cursor.")] = None
    start: Annotated[
        int | None,
        Field(
            ge=0,
            description="Number of the first page, with `page` (absent: 1), or of the first record, with `offset` "
            "(absent: 0; SCIM counts from 1).",
        ),
    ] = None
    size: Annotated[
        dict[str, Annotated[int, Field(ge=1)]],
        Field(description="Records asked for a page, by where the number goes: {query.limit: 100}."),
    ] = {}
    last: Annotated[
        Jmespath | None,
        Field(
            description="JMESPath expression over the body that is true on the last page. config('NAME') in it is a "
            "setting: config('first_page_only') || !next."
        ),
    ] = None
    total: Annotated[
        Told | None,
        Field(
            description="Where the answer says how many records there are. Paging by page or offset ends there; a read "
            "that ends with fewer fails (SYN476)."
        ),
    ] = None
    pages: Annotated[
        Told | None,
        Field(
            description="Where the answer says how many pages there are, with `page`. A read that ends before fails "
            "(SYN476)."
        ),
    ] = None
    short: Annotated[
        Literal["next", "last", "fail"],
        Field(
            description="What fewer records than `size` mean: next goes on, as many servers cap or filter pages; last "
            "ends there; fail refuses such a page if it claims more (SYN476)."
        ),
    ] = "next"


class DateWindows(Spec):
    """Windows of a calendar that a stream is read for one by one, where its records carry no date of their own."""

    every: Annotated[
        str,
        Field(
            pattern=r"^[1-9]\d{0,3}(h|d|w|mo)$",
            description="Length of a window: hours, days, weeks or calendar months: 1d, 1w, 1mo, 3mo. Days begin at "
            "midnight in `timeZone`, months with their first day, weeks on the day of the week that start is.",
        ),
    ]
    columns: Annotated[
        dict[Identifier, Literal["start", "end"]],
        Field(
            min_length=1,
            description="Fields of each record that say which window it was read for: {day: start}. Texts in ISO 8601; "
            "templates, keys and mappings know them too.",
        ),
    ]
    lookback: Annotated[
        int,
        Field(
            ge=0, le=1_000, description="How many of the last whole windows are read again, as figures are corrected."
        ),
    ] = 0
    delay: Annotated[
        Duration | None,
        Field(description="Time after its end until a window's data is complete; it isn't read before."),
    ] = None
    time_zone: Annotated[str, Field(description="Time zone (IANA name) in which windows begin and end.")] = "UTC"
    end: Annotated[
        Literal["included", "excluded"] | None,
        Field(
            description="Whether the end that is asked for is the window's last day (of timestamps: second), or the "
            "first one after it. Absent: included for type date, excluded for timestamp."
        ),
    ] = None


#: Types of cursors that are times.
TIMES: Final = frozenset({"timestamp", "date", "epoch", "epoch_ms"})


class Cursor(Spec):
    """How a stream is read incrementally: past the greatest value of a field, past a token that the API gives, or
    window by window.
    """

    field: Annotated[
        str,
        Field(
            description="Field that grows with every change, as a dotted path: meta.updated_at. It, `marker` or "
            "`windows`."
        ),
    ] = ""
    marker: Annotated[
        Told | None,
        Field(
            description="Where the answer gives a token for the next read, such as a sync token: JMESPath over the "
            "body, or {header: ETag}. It needs `into`; it, `field` or `windows`."
        ),
    ] = None
    windows: Annotated[
        DateWindows | None,
        Field(
            description="Windows from `start` to now that it is read for, each with its columns; for records without a "
            "date. It needs type date or timestamp; it, `field` or `marker`."
        ),
    ] = None
    type: Annotated[
        Literal["timestamp", "date", "integer", "epoch", "epoch_ms", "string"],
        Field(description="What its values are, and so how they compare; a timestamp without a zone is UTC."),
    ] = "timestamp"
    formats: Annotated[
        tuple[str, ...],
        Field(
            description="How timestamps or dates are written in records, in strptime codes, epoch or epoch_ms; the "
            "first that fits counts. Absent: ISO 8601."
        ),
    ] = ()
    start: Annotated[
        str | None,
        Field(
            description="Value that the first read starts at: a literal, or config.NAME for a setting. Of a time also "
            "how long before the first read it is: -30d, -12h."
        ),
    ] = None
    start_within: Annotated[
        GivenDuration | None,
        Field(
            description="How long before now the first read starts at most, however early `start` is: 30d, of an API "
            "that refuses to be asked for older."
        ),
    ] = None
    into: Annotated[
        dict[str, Literal["start", "end"]],
        Field(description="Where the bounds go in the request: {query.from: start, query.to: end}."),
    ] = {}
    order: Annotated[
        Literal["any", "descending"],
        Field(
            description="descending: records come newest first, so a read ends at those older than the last cursor; "
            "another order fails it (SYN478). any: every page is read."
        ),
    ] = "any"
    window: Annotated[
        GivenDuration | None,
        Field(description="Length of the spans that are asked for one by one, such as 7d; needs start."),
    ] = None
    lookback: Annotated[
        GivenDuration | None,
        Field(description="Time before the last cursor that is read again, for records that come late."),
    ] = None
    format: Annotated[
        str | None,
        Field(
            description="How a timestamp or date is written in a request, in strftime codes; epoch or epoch_ms of a "
            "timestamp. Absent: ISO 8601."
        ),
    ] = None


#: Most combinations of the values of one `for`, with all of its `times`.
MAX_COMBINATIONS: Final = 10_000


class Times(Spec):
    """A list of values with which everything else of a `for` is combined."""

    values: Annotated[
        tuple[str, ...] | str,
        Field(alias="in", description="Values, or config.NAME for a setting that holds them, separated by commas."),
    ]
    name: Annotated[
        Identifier, Field(alias="as", description="What a value is called in templates, keys and mappings.")
    ]


class For(Spec):
    """What a stream is read once for each of: the records of a parent stream (`each`), or values (`in`)."""

    each: Annotated[StreamName | None, Field(description="Parent stream, of the same connector; it or `in`.")] = None
    values: Annotated[
        tuple[str, ...] | str | None,
        Field(
            alias="in",
            description="Values, or config.NAME for a setting that holds them, separated by commas; it or `each`.",
        ),
    ] = None
    name: Annotated[
        Identifier,
        Field(alias="as", description="What a parent's record, or a value, is called in templates, keys and mappings."),
    ]
    only: Annotated[
        Jmespath | None,
        Field(
            description="JMESPath condition over a parent's record; others are passed over: status != 'closed'. "
            "config('NAME') in it is a setting, as in `filter`."
        ),
    ] = None
    changed: Annotated[
        bool,
        Field(
            description="Whether an incremental read goes only by parents past the cursor of their stream: for APIs "
            "that change a parent when something under it changes."
        ),
    ] = False
    group: Annotated[
        int | None,
        Field(
            ge=2,
            le=1_000,
            description="Reads it for so many parents at once, by one request or job: its name is then a list of their "
            "records, so that `{{ account.id | join(',') }}` gives their ids; it is no field of the records.",
        ),
    ] = None
    times: Annotated[
        tuple[Times, ...],
        Field(
            max_length=4,
            description="Further lists: it is read for each combination of a record or value with one of each, such "
            "as every account with every type of report; at most 10,000 of values.",
        ),
    ] = ()
