"""The comment on a pull request: written once, and brought up to date after that, on GitHub or GitLab.

It is found by its first line, the marker, among the comments of the account that writes: what somebody else wrote is
never edited, whatever it begins with, since they could change it again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from msgspec import Struct

from syncline.model.errors import Again, Invalid, Stalled
from syncline.model.secret import Secret
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Egress, HttpTransport, Proxy, Request, Response, TransportError

#: Comments that are looked through for ours: so many pages of a hundred.
_PAGES: Final = 20
_MAX_BODY: Final = 16 * 1024 * 1024
#: Seconds that one request may take.
_TIMEOUT: Final = 30.0
_ALLOWED: Final = (
    "May the token write comments? On GitHub the job needs `pull-requests: write`, which pull requests from forks "
    "never get; on GitLab it takes a project access token with the scope api."
)


class Conversation(Struct, frozen=True):
    """A pull request's comments: their URL, those of one comment (`{id}`), how to change one, and as whom."""

    host: str
    api: str
    comments: str
    comment: str
    change: str
    headers: Mapping[str, str]
    token: Secret
    graphql: str = ""

    @property
    def authorization(self) -> dict[str, str]:
        """The header that the host wants; built where it is sent."""
        if self.host == "github":
            return {"Authorization": f"Bearer {self.token.reveal()}"}
        return {"PRIVATE-TOKEN": self.token.reveal()}


def conversation(environ: Mapping[str, str]) -> Conversation:
    """The pull request that a CI job runs for, as GitHub Actions and GitLab CI say it; `Invalid` (SYN323) for none."""
    if environ.get("GITHUB_ACTIONS") == "true":
        return _github(environ)
    if environ.get("GITLAB_CI") == "true":
        return _gitlab(environ)
    raise Invalid(
        "this is no job of GitHub Actions or GitLab CI",
        code="SYN323",
        help="Elsewhere, post the file that `syncline ci check` writes with your code host's own tool.",
    )


def _github(environ: Mapping[str, str]) -> Conversation:
    number = _pull_request(environ)
    repository = environ.get("GITHUB_REPOSITORY", "")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise Invalid("GITHUB_REPOSITORY isn't OWNER/NAME", code="SYN323")
    api = environ.get("GITHUB_API_URL") or "https://api.github.com"
    issues = f"{api}/repos/{repository}/issues"
    return Conversation(
        "github",
        api,
        f"{issues}/{number}/comments",
        f"{issues}/comments/{{id}}",
        "PATCH",
        {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
        _token(environ, "GITHUB_TOKEN"),
        environ.get("GITHUB_GRAPHQL_URL") or f"{api.removesuffix('/v3')}/graphql",
    )


def _pull_request(environ: Mapping[str, str]) -> int:
    """The number of the pull request that an event is about."""
    try:
        event = json.loads(Path(environ.get("GITHUB_EVENT_PATH", "")).read_bytes())
        return int(event["pull_request"]["number"])
    except (OSError, ValueError, KeyError, TypeError):
        raise Invalid(
            "the event that started this job is about no pull request",
            code="SYN323",
            help="Run it on pull_request events.",
        ) from None


def _gitlab(environ: Mapping[str, str]) -> Conversation:
    request, project = environ.get("CI_MERGE_REQUEST_IID", ""), environ.get("CI_PROJECT_ID", "")
    if not (request.isdecimal() and project):
        raise Invalid(
            "this pipeline is about no merge request",
            code="SYN323",
            help='Run the job in merge request pipelines: rules: [{if: $CI_PIPELINE_SOURCE == "merge_request_event"}].',
        )
    api = environ.get("CI_API_V4_URL") or "https://gitlab.com/api/v4"
    notes = f"{api}/projects/{quote(project, safe='')}/merge_requests/{request}/notes"
    return Conversation("gitlab", api, notes, f"{notes}/{{id}}", "PUT", {}, _token(environ, "GITLAB_TOKEN"))


def _token(environ: Mapping[str, str], name: str) -> Secret:
    value = environ.get(name, "")
    if not value:
        raise Invalid(
            f"{name} is not set",
            code="SYN323",
            help=f"Give the step a token that may comment, in its environment as {name}.",
        )
    return Secret(value)


def put_comment(talk: Conversation, text: str, proxies: Sequence[Proxy] = ()) -> str:
    """
    Writes the comment, or brings the one with the same first line up to date: `written`, `updated` or `unchanged`.

    `Stalled` (SYN323) where the token may not, `Again` where the host can't be reached.
    """
    marker, _, _ = text.partition("\n")
    host = urlsplit(talk.api).hostname or ""
    transport = HttpTransport(SystemClock(), _MAX_BODY, egress=Egress(private=(host,)), proxies=proxies)
    try:
        mine = _own(transport, talk)
        for comment in _comments(transport, talk):
            if mine(comment) and str(comment.get("body", "")).replace("\r", "").partition("\n")[0] == marker:
                if comment["body"].replace("\r", "").rstrip() == text.rstrip():
                    return "unchanged"
                _ask(transport, talk, talk.change, talk.comment.format(id=int(comment["id"])), {"body": text})
                return "updated"
        _ask(transport, talk, "POST", talk.comments, {"body": text})
        return "written"
    finally:
        transport.close()


def _own(transport: HttpTransport, talk: Conversation) -> Callable[[dict[str, Any]], bool]:
    """
    Whether a comment is of the account that the token is of.

    Where that can't be found out, nothing is written: a second comment would be, at each run.
    """
    field = "user" if talk.host == "github" else "author"
    answer = _send(transport, talk, "GET", f"{talk.api}/user")
    if talk.host == "github" and answer.status in {403, 404}:
        # The token of a job, or of an app's installation: it is no user, and only the other API tells what it is.
        said = _ask(transport, talk, "POST", talk.graphql, {"query": "{viewer{login}}"})
        login = ((said.get("data") or {}).get("viewer") or {}).get("login")
        if not login:
            raise Stalled("the code host doesn't tell whose token this is", code="SYN323", help=_ALLOWED)
        # One API has the suffix of apps, and the other may leave it out.
        return lambda comment: _plain((comment.get(field) or {}).get("login")) == _plain(login)
    me = _answered(answer, "GET", f"{talk.api}/user")["id"]
    return lambda comment: (comment.get(field) or {}).get("id") == me


def _plain(login: Any) -> str:
    return str(login).removesuffix("[bot]")


def _comments(transport: HttpTransport, talk: Conversation) -> Iterator[dict[str, Any]]:
    for page in range(1, _PAGES + 1):
        found = _ask(transport, talk, "GET", f"{talk.comments}?per_page=100&page={page}")
        yield from (comment for comment in found if isinstance(comment, dict))
        if len(found) < 100:
            return


def _ask(transport: HttpTransport, talk: Conversation, method: str, url: str, body: Any = None) -> Any:
    return _answered(_send(transport, talk, method, url, body), method, url)


def _answered(answer: Response, method: str, url: str) -> Any:
    if answer.status in {200, 201}:
        return json.loads(answer.body)
    if answer.status >= 500 or answer.status == 429:
        raise Again(f"{urlsplit(url).hostname} answered {method} with status {answer.status}", code="SYN323")
    raise Stalled(
        f"{urlsplit(url).hostname} refuses the comment: {method} gives status {answer.status}",
        code="SYN323",
        help=_ALLOWED,
    )


def _send(transport: HttpTransport, talk: Conversation, method: str, url: str, body: Any = None) -> Response:
    headers = {**talk.headers, **talk.authorization, "User-Agent": "syncline"}
    data = b""
    if body is not None:
        headers["Content-Type"] = "application/json"
        data = json.dumps(body).encode()
    try:
        return transport.send(Request(method, url, headers, data), _TIMEOUT)
    except TransportError as error:
        raise Again(f"the code host can't be reached: {error}", code="SYN323") from None
