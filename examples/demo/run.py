"""The demo: two tenants, a messy legacy import and a rate-limited API, from manifests in Git to a verified audit log.

    python examples/demo/run.py [FOLDER] [--rows N]

Makes a fresh configuration repository in FOLDER (default: build/demo), starts a small helpdesk API, and runs the real
commands, printing each. Everything stays in FOLDER for you to look at.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from helpdesk import Helpdesk  # noqa: E402 - the demo is a folder, not a package
from legacy_crm import write_export  # noqa: E402 - the demo is a folder, not a package

TOKENS = {"acme": "demo-acme-token", "globex": "demo-globex-token"}


class Demo:
    """Prints chapters and runs commands in the demo's repository."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self.environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith("SYNCLINE_")},
            "ACME_HELPDESK_TOKEN": TOKENS["acme"],
            "SYNCLINE_ACTOR": "demo",
            **({"FORCE_COLOR": "1"} if self.colour else {}),
        }

    def say(self, title: str, text: str = "") -> None:
        """A chapter."""
        print(f"\n\033[1;36m━━ {title}\033[0m" if self.colour else f"\n━━ {title}")
        if text:
            print(textwrap.fill(text, 100, initial_indent="   ", subsequent_indent="   "))
        sys.stdout.flush()

    def syncline(self, *args: str, expect: int = 0, lines: int = 0, last: int = 0) -> str:
        """Runs a command and shows what it prints (at most the first `lines` or the `last` lines, if given)."""
        print(f"\n\033[1m$ syncline {' '.join(args)}\033[0m" if self.colour else f"\n$ syncline {' '.join(args)}")
        sys.stdout.flush()
        command = [sys.executable, "-m", "syncline", *args]
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        shown = done.stdout.rstrip().splitlines()
        if lines and len(shown) > lines:
            shown = [*shown[:lines], f"… {len(shown) - lines} more lines"]
        if last and len(shown) > last:
            shown = [f"… the plan again, {len(shown) - last} lines", *shown[-last:]]
        print("\n".join(shown))
        if done.returncode != expect:
            sys.exit(f"\nthe demo expected exit code {expect}, and got {done.returncode}")
        if expect:
            print(f"(exit code {done.returncode})")
        sys.stdout.flush()
        return done.stdout

    def git(self, *args: str) -> None:
        """Runs Git quietly in the repository."""
        command = ["git", "-c", "user.name=Demo", "-c", "user.email=demo@example.com", *args]
        subprocess.run(command, cwd=self.root, check=True, capture_output=True)

    def edit(self, file: str, before: str, after: str) -> None:
        """Changes a manifest as a person would, and shows the line."""
        path = self.root / file
        text = path.read_text()
        if before not in text:
            sys.exit(f"{file} has no {before!r}")
        path.write_text(text.replace(before, after))
        print(f"\n   {file}:\n   - {before}\n   + {after}")

    def query(self, database: str, sql: str) -> list[tuple[object, ...]]:
        """Asks a warehouse."""
        with closing(sqlite3.connect(self.root / database)) as connection:
            return connection.execute(sql).fetchall()


def prepare(root: Path, rows: int, port: int) -> None:
    """A fresh repository with the demo's manifests and the CRM's export."""
    if root.exists():
        shutil.rmtree(root)
    root.mkdir(parents=True)
    for file in sorted((HERE / "config").iterdir()):
        (root / file.name).write_text(file.read_text().replace(":8377/", f":{port}/"))
    (root / ".gitignore").write_text(
        ".syncline/\nexports/\nwarehouse/\nsecrets/\nplan.json\nreport.html\nlineage.svg\n"
    )
    secrets = root / "secrets"
    secrets.mkdir(mode=0o700)
    token = secrets / "globex-helpdesk-token"
    token.write_text(TOKENS["globex"] + "\n")
    token.chmod(0o600)
    write_export(root / "exports" / "customers-2024.csv", rows)


def tour(demo: Demo, service: Helpdesk, rows: int) -> None:
    """The whole way."""
    demo.say("1. A configuration repository", "YAML manifests under Git. Everything is checked before anything runs.")
    demo.git("init", "-q", "-b", "main")
    demo.git("add", "-A")
    demo.git("commit", "-qm", "Two tenants: a legacy CRM import and a helpdesk sync")
    demo.syncline("validate")

    demo.say("2. The plan", "What applying this commit would change, and what that does to data.")
    demo.syncline("plan", "--out", "plan.json", lines=64)
    demo.syncline("apply", "plan.json", "--yes", last=24)

    demo.say(
        "3. The import",
        f"{rows:,} rows of a legacy CRM: broken dates, duplicates, bad e-mails, mixed encodings. Bad rows are set "
        "aside with their reasons; good ones are upserted; the receipt accounts for every record. First a "
        "rehearsal, which reads everything and writes nothing.",
    )
    demo.syncline("rehearse", "acme/Import/crm-customers", expect=4)
    demo.syncline("run", "acme/Import/crm-customers", expect=4)
    run = demo.query(".syncline/state.db", "select id from runs order by started desc limit 1")[0][0]
    demo.syncline("runs", "rejects", str(run), lines=14)
    demo.syncline("runs", "report", str(run), "--out", "report.html")

    demo.say(
        "4. Fix the mapping, retry the rejects",
        "Status H means on hold: one line, one commit, and only the rejects move.",
    )
    demo.edit("acme-crm.yaml", "C: closed}", "C: closed, H: on-hold}")
    demo.git("commit", "-qam", "CRM: status H is on hold")
    demo.syncline("plan")
    demo.syncline("apply", "--yes")
    demo.syncline("runs", "retry", str(run), expect=4)

    demo.say(
        "5. The API",
        "Cursor paging, a bearer token from a secret provider, 429s waited out. The second run moves only what "
        "changed.",
    )
    demo.syncline("run", "acme/Sync/helpdesk-tickets")
    service.work("acme", changed=7, new=5)
    demo.syncline("run", "acme/Sync/helpdesk-tickets")
    demo.syncline("run", "globex/Sync/helpdesk-tickets")
    print(f"\n   (the helpdesk answered {service.requests} requests, {service.throttled} of them with 429)")

    demo.say(
        "6. A pull request that would leak personal data",
        "Marketing wants the customers in a newsletter tool in the US. Acme keeps personal data in Europe. The pull "
        "request is refused, with both places named, before anything moved.",
    )
    demo.git("checkout", "-qb", "newsletter")
    shutil.copy(HERE / "pull-request" / "acme-newsletter.yaml", demo.root / "acme-newsletter.yaml")
    demo.git("add", "acme-newsletter.yaml")
    demo.git("commit", "-qm", "Customers to the newsletter tool")
    demo.syncline("validate", expect=3)
    demo.git("checkout", "-q", "main")

    demo.say("7. Where data comes from, field by field")
    demo.syncline("lineage", "acme/Import/crm-customers")
    demo.syncline("lineage", "acme/Import/crm-customers", "-o", "svg", "--out", "lineage.svg")

    demo.say("8. Evidence", "Every plan, decision, step and run is in a Merkle log under signed checkpoints.")
    demo.syncline("audit", "show", lines=16)
    demo.syncline("audit", "verify")


def main() -> int:
    """Prepares, tours, and says where to look next."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("build/demo"))
    parser.add_argument("--rows", type=int, default=100_000)
    chosen = parser.parse_args()
    began = time.monotonic()
    service = Helpdesk(TOKENS, tickets=2_000)
    service.start()
    try:
        prepare(chosen.folder.resolve(), chosen.rows, service.port)
        demo = Demo(chosen.folder.resolve())
        tour(demo, service, chosen.rows)
    finally:
        service.stop()
    customers = demo.query("warehouse/acme.db", "select count(*), count(distinct country) from customers")[0]
    tickets = demo.query("warehouse/acme.db", "select count(*) from tickets")[0][0]
    demo.say(f"Done in {time.monotonic() - began:.0f} s")
    print(f"""
   {customers[0]:,} customers from {customers[1]} countries and {tickets:,} tickets are in the warehouse. Look around:

     {chosen.folder}/*.yaml              the manifests, and `git log` beside them
     {chosen.folder}/report.html         what the import did and rejected: open it in a browser
     {chosen.folder}/lineage.svg         lineage of the import: open it in a browser
     {chosen.folder}/warehouse/acme.db   the warehouse (sqlite3)
     {chosen.folder}/.syncline/audit     the log: checkpoint, tiles and entries

   Next: the tutorial in docs/tutorial.md builds such a repository from an empty folder.
""")
    return 0


if __name__ == "__main__":
    sys.exit(main())
