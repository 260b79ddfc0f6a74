"""What tests of jobs share: a connector with exports, and the API that a function plays."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from syncline.model.secret import Secret
from syncline.sdk.http import Request, Response
from syncline.sdk.source import Credentials
from tests.rest_streams import FakeClock, FunctionTransport, answer, instance, source

JOB = """
streams:
  items:
    decode: csv
    job:
      create: {post: /exports, body: {since: "{{ start | default('') }}"}}
      poll: {get: "/exports/{{ job.id }}", every: 2s, maxEvery: 4s, done: "body.state == 'done'", failed: "body.state == 'failed'", message: body.why}
      timeout: 60s
      download: {url: "body.files[].url", hosts: ["*.store.example"]}
      delete: {delete: "/exports/{{ job.id }}"}
    schema: {properties: {id: {type: integer}, day: {type: string, format: date}}}
"""


@dataclass
class Exports:
    """An API with exports: each is done at its third poll, and has two files at another host."""

    polls: int = 2
    jobs: dict[str, int] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    seen: list[Request] = field(default_factory=list)
    outcome: str = "done"
    files: int = 2

    def __call__(self, request):
        parts = urlsplit(request.url)
        self.log.append(f"{request.method} {parts.path}")
        self.seen.append(request)
        name = parts.path.rpartition("/")[2]
        if parts.hostname == "eu.store.example":
            number = int(name)
            body = "id,day\n" + "".join(f"{number}{row},2026-01-0{row}\n" for row in (1, 2))
            return Response(200, {"content-type": "application/gzip"}, gzip.compress(body.encode()))
        if request.method == "POST":
            self.jobs[f"j{len(self.log)}"] = 0
            return answer({"id": f"j{len(self.log)}"}, status=202)
        if name not in self.jobs:
            return answer({"error": "no such job"}, status=404)
        if request.method == "DELETE":
            del self.jobs[name]
            return answer(b"", status=204)
        self.jobs[name] += 1
        if self.jobs[name] <= self.polls:
            return answer({"state": "running"})
        urls = [{"url": f"http://eu.store.example/{n}?signature=s"} for n in range(self.files)]
        return answer({"state": self.outcome, "files": urls, "why": "s3cret quota\x1b[31m"})


def opened(api, text=JOB, *, clock=None, **options):
    credentials = Credentials("bearer", secrets={"token": Secret("s3cret")})
    made = instance(text, credentials=credentials)
    return source(made, transport=FunctionTransport(api), clock=clock or FakeClock(), **options)
