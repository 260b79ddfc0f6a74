"""Draws the README's pictures from what the commands really print, in the demo's repository.

python -m tools.pictures         (after `make demo`)
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "examples" / "demo"
THEME = TerminalTheme(
    (17, 22, 29),
    (214, 221, 230),
    [
        (40, 46, 56),
        (255, 107, 104),
        (98, 209, 150),
        (240, 190, 90),
        (110, 170, 255),
        (200, 140, 255),
        (90, 205, 220),
        (214, 221, 230),
    ],
    [
        (110, 120, 135),
        (255, 140, 136),
        (140, 230, 180),
        (255, 214, 130),
        (150, 195, 255),
        (220, 175, 255),
        (140, 225, 235),
        (255, 255, 255),
    ],
)


def syncline(root: Path, *args: str) -> str:
    """What a command prints, in colour."""
    environ = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": "134", "ACME_HELPDESK_TOKEN": "x"}
    command = [sys.executable, "-m", "syncline", *args]
    done = subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def draw(name: str, title: str, text: str) -> None:
    """Writes docs/pictures/NAME.svg."""
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=136, file=nowhere, force_terminal=True, color_system="truecolor")
        console.print(Text.from_ansi(text.rstrip()), soft_wrap=False)
        svg = console.export_svg(title=title, theme=THEME, unique_id=name)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace")
    out = ROOT / "docs" / "pictures" / f"{name}.svg"
    out.parent.mkdir(exist_ok=True)
    out.write_text(svg)


def main() -> None:
    """Draws the plan of a change and a refused pull request."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for file in (DEMO / "config").iterdir():
            (root / file.name).write_text(file.read_text())
        git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com"]
        subprocess.run([*git, "init", "-q", "-b", "main"], cwd=root, check=True)
        (root / ".gitignore").write_text(".syncline/\nexports/\nwarehouse/\n")
        commit = f"{' '.join(git)} add -A && {' '.join(git)} commit -qm state"
        subprocess.run(commit, cwd=root, shell=True, check=True)  # noqa: S602 - fixed words
        export = "from legacy_crm import *; import sys; write_export(Path(sys.argv[1]), 5_000)"
        subprocess.run([sys.executable, "-c", export, root / "exports" / "customers-2024.csv"], cwd=DEMO, check=True)
        syncline(root, "apply", "--yes")
        syncline(root, "run", "acme/Import/crm-customers")
        crm = root / "acme-crm.yaml"
        text = crm.read_text().replace("C: closed}", "C: closed, H: on-hold}")
        text = text.replace(", protect: {mask: {keep: 3}}", "")
        text = text.replace("  write: upsert\n", "  write: upsert\n  key: [email]\n")
        crm.write_text(text)
        subprocess.run(commit, cwd=root, shell=True, check=True)  # noqa: S602 - fixed words
        draw("plan", "syncline plan", syncline(root, "plan"))
        shutil.copy(DEMO / "pull-request" / "acme-newsletter.yaml", root)
        draw("refused", "syncline validate", syncline(root, "validate"))


if __name__ == "__main__":
    main()
