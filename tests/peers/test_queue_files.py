"""moto: a queue of SQS tells which objects of a bucket have come, and a run reads these and no others."""

from __future__ import annotations

import io
import json
import time
import zipfile
from contextlib import closing, suppress
from pathlib import Path

import pytest

from syncline.connectors.file.places.sqs import Queue
from syncline.connectors.file.runtime import RUNTIME
from syncline.model.errors import SynclineError
from syncline.model.schema import STRING, Field, Schema
from syncline.sdk.http import Request
from tests.e2e.api import started
from tests.file_servers import source
from tests.peers.house import Flow, house
from tests.peers.test_s3_files import AUTH, FIELDS, INTEGRATIONS, Bucket, table

NOTIFY = (
    "<NotificationConfiguration><QueueConfiguration><Id>all</Id><Queue>{arn}</Queue><Event>s3:ObjectCreated:*</Event>"
    "<Event>s3:ObjectRemoved:*</Event></QueueConfiguration></NotificationConfiguration>"
)
COLUMNS = Schema((Field("id", STRING), Field("text", STRING)))
SCHEMA = "schema: {properties: {id: {type: integer}, text: {type: string}}}"


class Told(Bucket):
    """A bucket whose changes a queue is told of."""

    def __init__(self, system, name):
        super().__init__(system, name)
        made = self.instance(files="*")
        with closing(Queue(made, f"{system.url}/")) as queue:
            self.queue = queue._asked("CreateQueue", {"QueueName": name})["QueueUrl"]
        with closing(self.opened()) as queue:
            asked = {"AttributeNames": ["QueueArn"]}
            self.arn = queue._asked("GetQueueAttributes", asked)["Attributes"]["QueueArn"]
        url = f"{system.url}/{name}?notification="
        request = self._auth.apply(Request("PUT", url, {}, NOTIFY.format(arn=self.arn).encode())).request
        assert self._transport.send(request, 60).status == 200

    def opened(self):
        """The queue."""
        return Queue(self.instance(files="*"), self.queue)

    def waiting(self):
        """How many messages wait."""
        with closing(self.opened()) as queue:
            return int(queue.described().split()[1])

    def ask(self, action, what):
        """Asks the queue for something."""
        with closing(self.opened()) as queue:
            return queue._asked(action, what)

    def say(self, body):
        """Puts a message into the queue."""
        self.ask("SendMessage", {"MessageBody": body})

    def instance(self, prefix="", secret="", **stream):
        made = super().instance(prefix, secret, **stream)
        made.config["queue"] = getattr(self, "queue", "")
        return made


@pytest.fixture
def told(moto, request):
    """A bucket of its own for a test, and its queue."""
    made = Told(moto, f"told-{abs(hash(request.node.name)):x}"[:40])
    yield made
    made.close()


def zipped(members):
    """An archive."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def ids(told, position=None, *, trial=False, files="*.csv", form=None):
    """Ids of what is read, and the position after it."""
    stream = {"files": files} | ({"format": form} if form else {})
    opened = source(told.instance("crm", **stream), COLUMNS, trial=trial)
    with closing(opened) as reading:
        batches = list(reading.read(position))
    read = [row[0] for batch in batches for row in batch.frame.rows()]
    return read, batches[-1].position if batches else position


def test_what_a_queue_tells_of_is_read_once(told):
    """Objects that have come are read and their messages deleted; without news nothing is read, and that is no error."""
    told.put("crm/a b+c.csv", table(0, 2))
    told.put("crm/d.csv", table(10, 1))
    told.put("elsewhere/e.csv", table(20, 1))
    read, position = ids(told)
    assert read == ["0", "1", "10"]
    assert told.waiting() == 1  # somebody else's
    assert ids(told, position) == ([], position)
    told.put("crm/d.csv", table(30, 1))
    assert ids(told, position)[0] == ["30"]
    assert told.waiting() == 1


def test_what_is_only_looked_at_stays_in_the_queue(told):
    """A trial gives all messages back; the run after it has them."""
    told.put("crm/a.csv", table(0, 2))
    assert ids(told, trial=True)[0] == ["0", "1"]
    assert told.waiting() == 2  # with the one that S3 tries the queue with
    assert ids(told)[0] == ["0", "1"]
    assert told.waiting() == 0


def test_a_message_that_comes_twice_has_nothing_read_twice(told):
    """The same version of an object isn't read again, whoever sends the notification a second time; another one is."""
    told.put("crm/a.csv", table(0, 2))
    _, position = ids(told)
    event = {"bucket": {"name": told.name}, "object": {"key": "crm/a.csv", "size": 1}}
    direct = {"Records": [{"eventName": "ObjectCreated:Put", "s3": event}]}
    told.say(json.dumps({"Type": "Notification", "Message": json.dumps(direct)}))
    told.say(json.dumps({"source": "aws.s3", "detail-type": "Object Created", "detail": event}))
    assert ids(told, position) == ([], position)
    assert told.waiting() == 0


def test_what_is_gone_and_what_is_somebody_elses(told):
    """Objects and archives that were deleted since are passed over; what others are told of, and what nobody
    understands, is left.
    """
    told.put("crm/a.csv", table(0, 2))
    told.put("crm/b.csv", table(10, 1))
    told.put("crm/c.zip", zipped({"one.csv": table(20, 1)}))
    for name in ("a.csv", "c.zip"):
        assert told.send("DELETE", f"crm/{name}") == 204
    told.say("hello")
    event = {"bucket": {"name": "somebody-elses"}, "object": {"key": "crm/a.csv"}}
    told.say(json.dumps({"Records": [{"eventName": "ObjectRemoved:Delete", "s3": event}]}))
    told.say(json.dumps({"source": "aws.s3", "detail-type": "Object Tags Added", "detail": event}))
    assert ids(told, files=["*.csv", "*.zip"], form="csv")[0] == ["10"]
    assert told.waiting() == 3


def test_members_of_an_archive_are_read_on(told):
    """A run that ended in the second member goes on there; the message is there until all of it is read."""
    told.put("crm/c.zip", zipped({"a.csv": table(0, 2), "b.csv": table(10, 5)}))
    with closing(source(told.instance("crm", files="*.zip", format="csv"), COLUMNS, block=16)) as reading:
        read = iter(reading.read(None))
        batches = [next(read), next(read)]
    assert [batch.settle for batch in batches] == [True, False]
    assert told.waiting() == 1
    rest, position = ids(told, batches[-1].position, files="*.zip", form="csv")
    assert [row[0] for batch in batches for row in batch.frame.rows()] + rest == ["0", "1", *map(str, range(10, 15))]
    assert told.waiting() == 0
    assert ids(told, position, files="*.zip", form="csv")[0] == []


@pytest.mark.parametrize("becomes", ["gone", "another"])
def test_an_object_that_changes_in_the_middle_keeps_nobody_else_waiting(told, becomes):
    """What was being read and was deleted is left; what was replaced is read anew; the next object comes after it."""
    told.put("crm/a.csv", table(0, 5))
    with closing(source(told.instance("crm", files="*.csv"), COLUMNS, block=16)) as reading:
        first = next(iter(reading.read(None)))
    if becomes == "gone":
        assert told.send("DELETE", "crm/a.csv") == 204
    else:
        told.put("crm/a.csv", table(70, 2))
    told.put("crm/b.csv", table(10, 1))
    assert ids(told, first.position)[0] == (["10"] if becomes == "gone" else ["70", "71", "10"])
    assert told.waiting() == 0


def test_a_file_that_was_being_read_is_read_on(told):
    """A run that ended in the middle goes on there, though its message is hidden: it is deleted when it comes again."""
    told.put("crm/a.csv", table(0, 5))
    with closing(source(told.instance("crm", files="*.csv"), COLUMNS, block=16)) as reading:
        first = next(iter(reading.read(None)))
    assert told.waiting() == 1  # given back
    assert ids(told, first.position, trial=True)[0] == ["2", "3", "4"]
    assert ids(told, first.position)[0] == ["2", "3", "4"]
    assert told.waiting() == 0
    assert ids(told, first.position)[0] == ["2", "3", "4"]  # as long as the message is hidden


def test_a_check_asks_the_queue(told):
    """`connector check` tells how many messages wait, and how often each may be looked at; no such queue is an error."""
    told.put("crm/a.csv", table(0, 2))
    given_up = json.dumps({"deadLetterTargetArn": told.arn, "maxReceiveCount": "7"})
    told.ask("SetQueueAttributes", {"Attributes": {"RedrivePolicy": given_up}})
    assert (
        "about 2 messages, each given up after it was received 7 times"
        in RUNTIME.check(told.instance("crm", files="*")).place
    )
    made = told.instance("crm", files="*")
    made.config["queue"] = f"{told.queue}-not"
    with pytest.raises(SynclineError):
        RUNTIME.check(made)


def made_house(folder: Path, told: Told, **flow):
    """A house that reads what the queue tells of."""
    system = told.system
    return house(
        folder,
        (INTEGRATIONS / "s3.yaml").read_text(),
        {"root": f"s3://{told.name}/crm", "region": system.region, "queue": told.queue},
        Flow("people", FIELDS, **flow),
        auth=AUTH,
        secrets={"ACCESS": system.access_key, "SECRET": system.secret_key},
        more=f"endpoints: [{{region: here, url: '{system.url}'}}], streams: {{people: {{files: '*.csv', {SCHEMA}}}}}",
    )


def test_runs_read_what_has_come(tmp_path, told):
    """By the command line: each run writes what has come since the one before, and a dry run takes nothing away."""
    made = made_house(tmp_path, told, write="append")
    assert made.run("people")["read"] == 0
    told.put("crm/a.csv", table(0, 40))
    made.ok("run", "acme/Sync/people", "--dry-run")
    assert made.run("people")["inserted"] == 40
    told.put("crm/b.csv", table(40, 2))
    assert made.run("people")["inserted"] == 2
    again = {"bucket": {"name": told.name}, "object": {"key": "crm/b.csv"}}
    told.say(json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": again}]}))
    assert made.run("people")["read"] == 0
    assert made.rows("SELECT count(*) FROM people") == [(42,)]
    assert told.waiting() == 0
    made.proved()


@pytest.mark.slow
def test_a_killed_run_loses_no_message(tmp_path, told):
    """SIGKILL while objects are read: the next run has all rows, once though they are appended; no message is left."""
    count, objects = 60_000, 4
    for number in range(objects):
        told.put(f"crm/{number}.csv", table(number * count, count, "x" * 100))
    made = made_house(tmp_path, told, write="append")
    with started(tmp_path, "run", "acme/Sync/people", extra=made.secrets) as process:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(Exception):
                if made.tables("people") and made.rows("SELECT count(*) FROM people")[0][0] > count:
                    break
            time.sleep(0.01)
        assert process.poll() is None, "it was over before it could be killed"
        process.kill()
    deadline = time.monotonic() + 120
    while made.rows("SELECT count(*) FROM people") != [(objects * count,)]:
        assert time.monotonic() < deadline
        told.ask("PurgeQueue", {})  # an hour later, what was hidden is shown again
        for number in range(objects):
            key = {"bucket": {"name": told.name}, "object": {"key": f"crm/{number}.csv"}}
            told.say(json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": key}]}))
        made.run("people")
    assert made.rows("SELECT count(*), count(DISTINCT id) FROM people") == [(objects * count, objects * count)]
    assert told.waiting() == 0
