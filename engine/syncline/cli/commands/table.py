"""Every command, in one list, by what it is for. To add one: a file beside this one, and a line here."""

from __future__ import annotations

from syncline.cli.lazy import Entry

_AUTHOR, _CHANGE, _RUN, _LOOK = "Write manifests", "Change what is applied", "Move data", "Look and prove"

ENTRIES: tuple[Entry, ...] = (
    Entry(_AUTHOR, "init", "syncline.cli.commands.init:init"),
    Entry(_AUTHOR, "validate", "syncline.cli.commands.validate:validate"),
    Entry(_AUTHOR, "dev", "syncline.cli.commands.dev:dev"),
    Entry(_AUTHOR, "render", "syncline.cli.commands.render:render"),
    Entry(_AUTHOR, "fmt", "syncline.cli.commands.fmt:fmt"),
    Entry(_AUTHOR, "explain", "syncline.cli.commands.explain:explain"),
    Entry(_AUTHOR, "lsp", "syncline.cli.commands.lsp:lsp"),
    Entry(_AUTHOR, "schema", "syncline.cli.commands.schema:schema"),
    Entry(_AUTHOR, "policy", "syncline.cli.commands.policy:policy"),
    Entry(_AUTHOR, "connector", "syncline.cli.commands.connector:connector"),
    Entry(_CHANGE, "plan", "syncline.cli.commands.plan:plan"),
    Entry(_CHANGE, "ci", "syncline.cli.commands.ci:ci"),
    Entry(_CHANGE, "approve", "syncline.cli.commands.approve:approve"),
    Entry(_CHANGE, "apply", "syncline.cli.commands.apply:apply"),
    Entry(_CHANGE, "snapshot", "syncline.cli.commands.snapshot:snapshot"),
    Entry(_CHANGE, "rollback", "syncline.cli.commands.rollback:rollback"),
    Entry(_RUN, "secrets", "syncline.cli.commands.secrets:secrets"),
    Entry(_RUN, "keys", "syncline.cli.commands.keys:keys"),
    Entry(_RUN, "auth", "syncline.cli.commands.auth:auth"),
    Entry(_RUN, "rehearse", "syncline.cli.commands.rehearse:rehearse"),
    Entry(_RUN, "run", "syncline.cli.commands.run:run"),
    Entry(_RUN, "serve", "syncline.cli.commands.serve:serve"),
    Entry(_RUN, "runs", "syncline.cli.commands.runs:runs"),
    Entry(_RUN, "tenant", "syncline.cli.commands.tenant:tenant"),
    Entry(_RUN, "privacy", "syncline.cli.commands.privacy:privacy"),
    Entry(_LOOK, "get", "syncline.cli.commands.get:get"),
    Entry(_LOOK, "status", "syncline.cli.commands.status:status"),
    Entry(_LOOK, "events", "syncline.cli.commands.events:events"),
    Entry(_LOOK, "notifications", "syncline.cli.commands.notifications:notifications"),
    Entry(_LOOK, "history", "syncline.cli.commands.history:history"),
    Entry(_LOOK, "schedules", "syncline.cli.commands.schedules:schedules"),
    Entry(_LOOK, "drift", "syncline.cli.commands.drift:drift"),
    Entry(_LOOK, "compare", "syncline.cli.commands.compare:compare"),
    Entry(_LOOK, "lineage", "syncline.cli.commands.lineage:lineage"),
    Entry(_LOOK, "reveal", "syncline.cli.commands.reveal:reveal"),
    Entry(_LOOK, "audit", "syncline.cli.commands.audit:audit"),
    Entry(_LOOK, "evidence", "syncline.cli.commands.evidence:evidence"),
    Entry(_LOOK, "witness", "syncline.cli.commands.witness:witness"),
    Entry(_LOOK, "doctor", "syncline.cli.commands.doctor:doctor"),
)
