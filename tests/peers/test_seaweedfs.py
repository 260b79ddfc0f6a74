"""SeaweedFS and moto: listings of S3 in XML, by signed requests."""

from __future__ import annotations

import subprocess

import pytest

from tests.peers.house import Flow, house
from tests.peers.web import ask

FIELDS = (
    "to: name, from: Key, required: true",
    "to: size, from: Size, type: integer",
    "to: changed, from: LastModified, type: timestamp",
)
AUTH = (
    "{type: aws_sigv4, accessKeyId: {secretRef: {provider: env, key: ACCESS}}, "
    "secretAccessKey: {secretRef: {provider: env, key: SECRET}}}"
)
FILL = """\
import sys, boto3
url, region, access, secret = sys.argv[1:]
from botocore.config import Config
patient = Config(retries={"total_max_attempts": 8, "mode": "standard"})
s3 = boto3.client("s3", endpoint_url=url, region_name=region, aws_access_key_id=access, aws_secret_access_key=secret, config=patient)
s3.create_bucket(Bucket="reports", **({"CreateBucketConfiguration": {"LocationConstraint": region}} if region != "us-east-1" else {}))
for n in range(5):
    s3.put_object(Bucket="reports", Key=f"year 2026/report+{n}.csv", Body=b"x" * n)
"""


def test_unsigned_requests_are_refused(seaweedfs):
    """Without a signature S3 answers 403."""
    assert ask("GET", f"{seaweedfs.url}/").status == 403


@pytest.mark.parametrize("name", ["seaweedfs", "moto"])
def test_a_listing_is_read_by_signed_requests(tmp_path, request, name, moto):
    """Five objects, with names that need escaping, come over signed pages of two in XML."""
    system = request.getfixturevalue(name)
    arguments = [system.url, system.region, system.access_key, system.secret_key]
    subprocess.run([moto.python, "-c", FILL, *arguments], check=True, timeout=300)
    config = {"url": system.url, "region": system.region, "bucket": "reports"}
    secrets = {"ACCESS": system.access_key, "SECRET": system.secret_key}
    made = house(tmp_path, "s3", config, Flow("objects", FIELDS, key="name"), auth=AUTH, secrets=secrets)

    counts = made.run("objects")

    assert (counts["read"], counts["inserted"]) == (5, 5)
    assert made.rows("SELECT name, size FROM objects WHERE size = 3") == [("year 2026/report+3.csv", 3)]
    made.proved()
