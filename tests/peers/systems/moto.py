"""moto: Amazon's APIs in one process, with the check of signatures switched on."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.peers.install import python_environment
from tests.peers.process import free_port, running
from tests.peers.web import answers, ask

if TYPE_CHECKING:
    from collections.abc import Iterator

REGION = "eu-west-1"
# Not the extra `server`, which brings what all of its services need.
PACKAGES = ("moto[s3,secretsmanager]==5.2.5", "flask==3.1.2", "flask-cors==6.0.1", "boto3==1.44.8")

# Before the check of signatures is switched on: a user who may do everything, and a key of theirs.
USER = """\
import json, sys, boto3
iam = boto3.client("iam", endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
iam.create_user(UserName="syncline")
allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
iam.put_user_policy(UserName="syncline", PolicyName="all", PolicyDocument=json.dumps(allow))
key = iam.create_access_key(UserName="syncline")["AccessKey"]
print(key["AccessKeyId"], key["SecretAccessKey"])
"""


@dataclass(frozen=True)
class Aws:
    """Amazon's APIs at one URL, and a key that may do everything. Wrong signatures get a 403."""

    url: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = REGION
    python: Path = Path()


def install() -> Path:
    """The folder of its program."""
    return python_environment("moto", *PACKAGES)


@contextmanager
def moto(folder: Path) -> Iterator[Aws]:
    """Moto in memory, which refuses what isn't signed with `access_key`. `python` is one that has boto3."""
    import subprocess

    programs = install()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [programs / "moto_server", "-H", "127.0.0.1", "-p", str(port)]
    with running(command, folder, lambda: answers(f"{url}/moto-api/")):
        made = subprocess.run(
            [programs / "python", "-c", USER, url], capture_output=True, text=True, timeout=300, check=True
        )
        access, secret = made.stdout.split()
        ask("POST", f"{url}/moto-api/reset-auth", b"0", headers={"Content-Type": "text/plain"}).ok()
        yield Aws(url, access, secret, python=programs / "python")
