"""One thing that was looked at, as a line with a sign, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.cli.output.text import pad, visible, width

if TYPE_CHECKING:
    from syncline.cli.output.paint import Paint
    from syncline.reconciler.doctor import Finding

_NAMES = 13  # cells; longer names push their messages to the right


def render_finding(finding: Finding, paint: Paint) -> str:
    """What was found, with the way out where there is something to do."""
    sign = {True: paint.green("✓"), False: paint.red("✗"), None: paint.yellow("?")}[finding.ok]
    name = visible(finding.name)
    text = f"{sign} {pad(name, max(_NAMES, width(name)))}  {visible(finding.message)}"
    if finding.help and finding.ok is not True:
        text += f"\n  {' ' * max(_NAMES, width(name))}  {paint.cyan(visible(finding.help))}"
    return text
