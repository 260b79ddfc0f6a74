"""Options that say whose approvals a daemon or an apply demands, and for what."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click


def approvals(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--approvers`, `--approvals` and `--approval-count`, passed as `rule`; None without the first."""

    @click.option(
        "--approvers",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Apply risky changes only when somebody in this file (ssh-keygen's allowed signers) approved them.",
    )
    @click.option(
        "--approvals",
        "required",
        type=click.Choice(("risky", "always")),
        default="risky",
        show_default=True,
        help="Which changes need an approval.",
    )
    @click.option(
        "--approval-count",
        type=click.IntRange(1, 10),
        default=1,
        show_default=True,
        metavar="N",
        help="How many people must have approved.",
    )
    @wraps(command)
    def with_rule(*given: Any, approvers: Path | None, required: Any, approval_count: int, **more: Any) -> Any:
        from syncline.reconciler.approvals import Rule

        rule = Rule(approvers.resolve(), required, approval_count) if approvers is not None else None
        return command(*given, rule=rule, **more)

    return with_rule
