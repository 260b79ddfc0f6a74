"""Jobs of an API: created, polled until they are done, downloaded, deleted; a run that stops goes on with the same one.

The job's id is in the position from its creation on, so that no run creates a second one for the same records; where
requests to create read `job.key`, that key is in the position before the first of them, and they are repeated with it.
Its deletion comes after its records are kept, and stands in the position until it was tried. A job that is gone, or has
failed, or takes too long is forgotten, and a new one is created; records of it that were kept are then read again.

A trial, of which nothing is kept, deletes the jobs that it created, and leaves those alone that a position knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from msgspec import Struct
from msgspec.structs import replace

from syncline.connectors.rest.exchange.content import Content, Reading
from syncline.connectors.rest.exchange.expressions import jmespath_of
from syncline.connectors.rest.exchange.judge import ResetPaging, RestartReading, SplitSpan
from syncline.connectors.rest.exchange.request import RequestPlan, compile_request
from syncline.connectors.rest.exchange.rules import compile_rules, for_people, loose
from syncline.connectors.rest.reading.began import NOW
from syncline.connectors.rest.reading.file import FilePages
from syncline.connectors.rest.reading.partition import WHOLE, Partition
from syncline.connectors.rest.reading.passes import Pass
from syncline.connectors.rest.reading.step import PageRead, Step
from syncline.connectors.rest.reading.tree import Use, nothing_left
from syncline.kinds.rule import ErrorRule
from syncline.model import units
from syncline.model.errors import Again, Invalid, SynclineError, foreign
from syncline.sdk.http import followed
from syncline.sdk.uri import of_header

if TYPE_CHECKING:
    from syncline.connectors.rest.exchange.answer import Answer
    from syncline.connectors.rest.reading.fetching import Fetcher
    from syncline.connectors.rest.reading.incremental import Progress
    from syncline.connectors.rest.reading.listing import Listing
    from syncline.kinds.http import Http
    from syncline.kinds.job import Job
    from syncline.sdk.batch import Position
    from syncline.sdk.formats.json_document import Hide
    from syncline.sdk.http import Request, Response

_GONE = ErrorRule(when="status == `404` || status == `410`", do="skip")
#: How much longer each wait between polls is.
_GROWTH = 1.5


class _Told(Reading):
    """An answer about a job, in whatever form."""

    def read(self, response: Response, hide: Hide) -> Content:
        del hide
        return Content(response.body, loose(response.body))


class _Polled(_Told):
    rules = compile_rules([_GONE])


class JobPlan(Struct, frozen=True):
    """
    A declared job, compiled; times are in seconds. `at` finds the URL of a job in the answer to its creation. `files`:
    its records come by URLs, which `url` finds.
    """

    create: RequestPlan
    id: Any
    at: Any
    poll: RequestPlan
    done: Any
    failed: Any
    message: Any
    every: float
    max_every: float
    timeout: float
    download: RequestPlan
    url: Any
    files: FilePages | None
    delete: RequestPlan | None

    @property
    def keyed(self) -> bool:
        """Whether a job's creation has a key of ours, under which it may be repeated."""
        return "job" in self.create.names

    @property
    def timed(self) -> bool:
        """Whether a request about the job says when the read began; the one that downloads is its listing's."""
        return any(NOW in plan.names for plan in (self.create, self.poll, self.delete) if plan is not None)


def compile_job(job: Job, base: str, http: Http, what: str) -> JobPlan:
    """Compiles a declared job. Raises `Invalid` (SYN430, SYN432)."""
    if job.download.url is None:
        download = compile_request(job.download, base, http, what=f"{what}: job.download", accept="*/*")
    else:
        download = compile_request(job.download, base, http, what=f"{what}: job.download", accept="*/*", file="/")
    return JobPlan(
        compile_request(job.create, base, http, what=f"{what}: job.create"),
        jmespath_of(job.id),
        jmespath_of(job.url),
        compile_request(job.poll, base, http, what=f"{what}: job.poll"),
        jmespath_of(job.poll.done),
        jmespath_of(job.poll.failed),
        jmespath_of(job.poll.message),
        units.duration(job.poll.every),
        units.duration(job.poll.max_every),
        units.duration(job.timeout),
        download,
        jmespath_of(job.download.url),
        FilePages() if job.download.url is not None else None,
        compile_request(job.delete, base, http, what=f"{what}: job.delete") if job.delete else None,
    )


class _Download(Pass):
    """A pass over the records of one job: a span that was asked for can be neither split nor read anew inside it."""

    def _next(self) -> PageRead:
        try:
            return super()._next()
        except (SplitSpan, RestartReading):
            raise _unfit() from None


def _unfit() -> Invalid:
    return Invalid(
        "a rule says that paging or reading starts over, which the requests of a job can't do",
        code="SYN440",
        help="Limit the rule in http.errors to other answers, or put a rule of the stream before it.",
    )


class _GivenUp(Exception):
    """A job that has failed or took too long: the error of the run."""

    def __init__(self, error: SynclineError) -> None:
        super().__init__(error.message)
        self.error = error


class JobReading(Struct, frozen=True):
    """Reads a stream whose records a job prepares, one job for each span of its cursor. See `tree.Reading`.

    `into` are the places in the request that creates a job which the bounds of the span go to. `pages` asks for the
    pages of its records. `partition` is what it is read for.
    """

    listing: Listing
    plan: JobPlan
    into: Mapping[str, Any]
    use: Use
    pages: Fetcher
    partition: Partition = WHOLE

    def of(self, partition: Partition) -> JobReading:
        """The same for one partition, which has jobs of its own."""
        return replace(self, partition=partition)

    def begin(self, position: Position | None, *, incremental: bool) -> Position | None:
        """The position as it is when reading begins, with the job that it has."""
        if _left(position):
            return position
        progress = self.listing.begin(position, incremental=incremental, now=self.use.now())
        return _with(progress, **{name: position[name] for name in ("job", "delete") if position and name in position})

    def steps(self, position: Position | None, *, incremental: bool) -> Iterator[Step]:
        """What is read from a position on, in order; a job's creation is a step, too."""
        position = dict(position or {})
        if (leftover := position.pop("delete", None)) is not None:
            if self.use.trial is None:
                self._delete(leftover if isinstance(leftover, dict) else {"id": leftover})  # text: an earlier version's
            if "pass" not in position:
                yield Step(position, last=True)
                return
        progress = self.listing.begin(position, incremental=incremental, now=self.use.now())
        if nothing_left(progress, position):
            yield Step(progress.position(), last=True)
            return
        if leftover is not None:
            yield Step(progress.position())
        job: dict[str, Any] | None = position.get("job")
        if self.use.trial is not None and job is not None:
            job = {**job, "lent": True} if "id" in job else None
        fresh, renewed = False, False
        reading = _Download(self.listing, self.pages, progress, self.use.now, slots=self.use.slots)
        while not progress.ended:
            if job is None and self.plan.keyed:
                job = {"key": uuid4().hex}
                yield Step(_with(progress, job=job), keep=True)
            if job is None or "id" not in job:
                job, fresh = self._created(progress, job), True
                yield Step(_with(progress, job=job), keep=True)
            try:
                answer = self._done(job, fresh=fresh)
            except _GivenUp as given_up:
                self._delete(job)
                progress.page = self.listing.pages.pager().first()
                yield Step(progress.position(), keep=True)
                raise given_up.error from None
            if answer is None:
                if renewed:
                    raise Again("the API doesn't know the job that it has just created", code="SYN496")
                renewed, job = True, None
                progress.page = self.listing.pages.pager().first()
                continue
            yield from self._downloaded(reading, job, answer)
            self._delete(job)
            job, fresh, renewed = None, False, False
            yield Step(progress.position(), last=progress.ended)

    # --- the four requests

    def _created(self, progress: Progress, keyed: Mapping[str, Any] | None) -> dict[str, Any]:
        trial = self.use.trial
        if trial is None:
            return self._create(progress, keyed)

        def made(job: dict[str, Any]) -> None:
            delete = partial(self._gone, job) if self.plan.delete is not None else None
            trial.made(job["id"], delete, self.partition.key)

        return trial.create(lambda: self._create(progress, keyed), made)

    def _create(self, progress: Progress, keyed: Mapping[str, Any] | None) -> dict[str, Any]:
        bounds = progress.bounds()
        values = {place: bounds[bound] for place, bound in self.into.items() if bound in bounds}
        request = self.plan.create.build(self._variables(bounds, keyed), values)
        # Whether a job exists whose creation wasn't answered is unknown: it isn't created twice.
        answer = self._asked(request, _Told(), repeat=keyed is not None or request.method == "GET")
        found = self.plan.id.search(_facts(answer))
        if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
            raise Invalid(
                f"{self.use.client.told_place(request)}: job.id finds no id in the answer",
                code="SYN422",
                help="Compare it with the answer: it is an expression over {status, headers, body}.",
            )
        return {**(keyed or {}), "id": str(found), "at": self.use.now(), **self._url(answer)}

    def _url(self, answer: Answer) -> dict[str, str]:
        """Where a job is, by the answer to its creation, as it may be kept."""
        if self.plan.at is None:
            return {}
        found = self.plan.at.search(_facts(answer))
        if not isinstance(found, str) or not found:
            raise Invalid(
                "job.url finds no URL in the answer that creates a job",
                code="SYN422",
                help="Compare it with the answer: it is an expression over {status, headers, body}.",
            )
        reference = of_header(found) if found in answer.headers.values() else found
        try:
            return {"url": self.use.client.kept(followed(answer.url, reference))}
        except ValueError:
            raise Invalid(
                f"job.url isn't a URL: {foreign(found[:200])}",
                code="SYN422",
                help="Compare it with the answer: it is an expression over {status, headers, body}.",
            ) from None

    def _done(self, job: Mapping[str, Any], *, fresh: bool) -> Answer | None:
        """The answer that says that a job is done; None when the API no longer knows it."""
        known, wait = not fresh, self.plan.every
        request = self.plan.poll.build(self._variables({}, job), {})
        while True:
            if fresh:
                self.use.pause(request, wait, f"is working on job {str(job['id'])[:60]}")
                wait = min(wait * _GROWTH, self.plan.max_every)
            fresh = True
            answer = self._asked(request, _Polled())
            if answer.empty and answer.status in {404, 410}:
                if known:
                    return None  # before it was seen, it may only not be there yet
            else:
                known = True
                facts = _facts(answer)
                if _true(self.plan.failed, facts):
                    raise _GivenUp(Again(f"job {job['id']} has failed{self._why(facts)}", code="SYN496"))
                if _true(self.plan.done, facts):
                    return answer
            if self.use.now() - job["at"] >= self.plan.timeout:
                raise _GivenUp(
                    Again(
                        f"job {job['id']} was not done within {self.plan.timeout:g} s",
                        code="SYN497",
                        help="The next run creates a new one. Raise job.timeout, or ask for less in one job.",
                    )
                )

    def _downloaded(self, reading: Pass, job: Mapping[str, Any], answer: Answer) -> Iterator[Step]:
        """The pages of a job that is done, to the end of its span; the last one demands that all is kept."""
        progress = reading.progress
        around = self.partition
        reading.partition = Partition(
            scope={**around.scope, "job": _known(job)}, values=(*around.values, ("job", (job["id"],)))
        )
        if self.plan.files is not None:
            self.plan.files.found(self.plan.url.search(_facts(answer)), answer.url)
            if not self.plan.files.urls:
                reading.skip()
                return
        span = (progress.low, progress.high)
        for page in reading.pages():
            finished = progress.ended or (progress.low, progress.high) != span
            if not finished:
                yield Step(_with(progress, job=job), page=page)
                continue
            left = {"delete": _known(job)} if self.plan.delete is not None else {}
            yield Step(_with(progress, **left), page=page, keep=bool(left))
            return

    def _delete(self, job: Mapping[str, Any]) -> None:
        """Tries to delete a job. That it isn't gone harms nothing that was read."""
        if self.plan.delete is None or "lent" in job:
            return
        if self._gone(job) and self.use.trial is not None:
            self.use.trial.gone(job["id"], self.partition.key)

    def _gone(self, job: Mapping[str, Any]) -> bool:
        """Asks for a job to be deleted; whether that was accepted."""
        assert self.plan.delete is not None
        request = self.plan.delete.build(self._variables({}, job), {})
        try:
            self._asked(request, _Polled())
        except SynclineError:
            return False
        return True

    def _asked(self, request: Request, reading: Reading, *, repeat: bool = True) -> Answer:
        try:
            return self.use.client.fetch(request, reading=reading, repeat=repeat)
        except (ResetPaging, SplitSpan, RestartReading):
            raise _unfit() from None

    def _variables(self, bounds: Mapping[str, str], job: Mapping[str, Any] | None = None) -> dict[str, Any]:
        found: dict[str, Any] = {**self.partition.scope, "config": self.listing.config, **bounds}
        if "start" in bounds:
            found["cursor"] = bounds["start"]
        if self.plan.timed:
            found[NOW] = self.listing.began.text()
        return found if job is None else found | {"job": _known(job)}

    def _why(self, facts: Mapping[str, Any]) -> str:
        text = self.plan.message.search(facts) if self.plan.message is not None else None
        return "" if text is None else f": {foreign(for_people(str(text), self.use.client.hide))}"


def _with(progress: Progress, **more: Any) -> Position:
    return {**progress.position(), **more}


def _left(position: Position | None) -> bool:
    """Whether all that is left to do of a position is to delete a job."""
    return position is not None and "delete" in position and "pass" not in position


def _known(job: Mapping[str, Any]) -> dict[str, Any]:
    """A job as templates know it."""
    return {name: job[name] for name in ("id", "key", "url") if name in job}


def _facts(answer: Answer) -> dict[str, Any]:
    return {"status": answer.status, "headers": answer.headers, "body": answer.document}


def _true(condition: Any, facts: Mapping[str, Any]) -> bool:
    from jmespath.exceptions import JMESPathError

    try:
        return condition is not None and bool(condition.search(facts))
    except JMESPathError:
        return False
