"""Writes docs/reference from the code: commands, kinds, codes, exit codes. `--check` only compares.

Nothing here knows a command, a kind or a code by name: the pages follow from the lists that the program itself uses.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

import click
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from syncline import settings
from syncline.cli.exit import MEANINGS
from syncline.cli.main import cli
from syncline.kinds import KIND_BY_NAME
from syncline.kinds.policy import PolicyRule, PolicySpec
from syncline.manifests import fields
from syncline.manifests.catalog import catalog
from syncline.manifests.envelope import Metadata
from syncline.model.codes import CODES, Code
from syncline.model.kind import Kind
from syncline.model.manifest import Manifest

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
MADE = "<!-- Made by tools/docs.py from the code: change the code, then `make docs`. -->\n"
#: Areas by the first of their codes.
AREAS = (
    ("SYN100", "YAML (SYN1xx)"),
    ("SYN200", "Kinds, fields and references (SYN2xx)"),
    ("SYN300", "Mappings and expressions (SYN300 to SYN317)"),
    ("SYN318", "Review of pull requests: snapshots, effects, comments (SYN318 to SYN329)"),
    ("SYN330", "Mappings and expressions, continued (SYN330 to SYN399)"),
    ("SYN400", "Connectors, sources and destinations (SYN4xx)"),
    ("SYN500", "Policy and flows of data (SYN5xx)"),
    ("SYN600", "Plan, apply and state (SYN6xx)"),
    ("SYN700", "Runs and rejects (SYN7xx)"),
    ("SYN800", "Secrets and keys (SYN8xx)"),
    ("SYN900", "Audit, and defects (SYN9xx)"),
)
SCOPES = {
    "tenant": "An object of a tenant: `metadata.tenant` is required.",
    "shared": "Shared by all tenants: it has no `metadata.tenant`.",
    "either": "Of a tenant, or shared by all when `metadata.tenant` is absent.",
}


def pages() -> dict[str, str]:
    """Every page by its path under the folder."""
    found = {
        "README.md": index(),
        "cli.md": commands(),
        "exit-codes.md": exit_codes(),
        "codes.md": codes(),
        "kinds/metadata.md": metadata(),
    }
    found |= {f"kinds/{kind.name.lower()}.md": kind_page(kind) for kind in KIND_BY_NAME.values()}
    return found | {f"policies/{pack.key.name}.md": pack_page(pack) for pack in packs()}


def page(title: str, *parts: str) -> str:
    """A page with its title; parts are separated by a blank line."""
    return "\n\n".join([f"{MADE}\n# {title}", *(part.strip("\n") for part in parts if part)]) + "\n"


def cell(text: str) -> str:
    """Text in a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def sentence(text: str) -> str:
    """Prose in a table: its asterisks are shown, and are no emphasis."""
    return re.sub(r"(`[^`]*`)|\*", lambda found: found[1] or r"\*", cell(text))


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table; empty when it has no rows."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines) if rows else ""


# --- Commands --------------------------------------------------------------------------------------------------------


def walk(command: click.Command, path: str, parent: click.Context | None = None) -> Iterator[tuple[str, click.Context]]:
    """A command and the commands under it, with their contexts."""
    context = click.Context(command, info_name=path.rpartition(" ")[2], parent=parent)
    yield path, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from walk(child, f"{path} {name}", context)


def prose(text: str) -> str:
    r"""A help text as Markdown: paragraphs, and blocks that begin with `\b` as they are."""
    parts = []
    for block in inspect.cleandoc(text).split("\n\n"):
        if block.startswith("\b\n"):
            first, *lines = block.removeprefix("\b\n").split("\n")
            parts.append(f"{first}\n\n```sh\n{inspect.cleandoc(chr(10).join(lines))}\n```")
        else:
            parts.append(" ".join(block.split()))
    return "\n\n".join(parts)


def option_row(option: click.Option, context: click.Context) -> tuple[str, str]:
    """An option's spelling and its help, with its choices, default and variable."""
    spelled, help_ = option.get_help_record(context) or ("", "")
    return f"`{cell(spelled)}`", cell(help_)


def command_section(path: str, context: click.Context) -> str:
    """A command: usage, help, options."""
    command = context.command
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    rows = [option_row(option, context) for option in options]
    level = "#" * (1 + min(path.count(" ") + 1, 3))
    parts = [f"{level} {path}", f"```sh\n{usage}\n```", prose(command.help or ""), table(("option", "meaning"), rows)]
    return "\n\n".join(part for part in parts if part)


def commands() -> str:
    """The page of all commands."""
    sections = [command_section(path, context) for path, context in walk(cli, "syncline")]
    variables = [line for line in (settings.__doc__ or "").splitlines() if line.startswith("|")]
    more = [
        "| SYNCLINE_ROOT | the configuration repository, as `--root` | the current folder |",
        "| SYNCLINE_DEBUG | shows the traceback of a defect, when it is set | |",
        "| NO_COLOR | no colours, when it is set (as `--no-color`); FORCE_COLOR asks for them | |",
    ]
    environment = "## Environment\n\n" + "\n".join([*variables, *more])
    completion = '## Completion\n\nIn bash: `eval "$(_SYNCLINE_COMPLETE=bash_source syncline)"`; zsh and fish likewise.'
    return page(
        "Command line", *sections, completion, environment, "The exit codes are in [exit-codes.md](exit-codes.md)."
    )


def exit_codes() -> str:
    """The page of exit codes."""
    rows = [(f"{code.value}", code.name, cell(meaning)) for code, meaning in MEANINGS.items()]
    return page("Exit codes", "Every command ends with one of these.", table(("code", "name", "meaning"), rows))


# --- Codes -----------------------------------------------------------------------------------------------------------


def code_section(code: Code) -> str:
    """A code: what it means, what to do, and examples."""
    parts = [f"### {code.code}: {code.title}", code.meaning, f"**What to do.** {code.remedy}"]
    if code.bad:
        parts.append(f"Instead of:\n\n```yaml\n{code.bad.rstrip()}\n```")
    if code.good:
        parts.append(f"Write:\n\n```yaml\n{code.good.rstrip()}\n```")
    return "\n\n".join(parts)


def codes() -> str:
    """The page of all codes, by area."""
    parts = ["`syncline explain CODE` shows each of these in the terminal. A code never changes its meaning."]
    ends = [first for first, _ in AREAS[1:]] + ["SYN\uffff"]
    for (first, area), end in zip(AREAS, ends, strict=True):
        found = [code for name, code in sorted(CODES.items()) if first <= name < end]
        if found:
            parts += [f"## {area}", *map(code_section, found)]
    return page("Codes", *parts)


# --- Kinds -----------------------------------------------------------------------------------------------------------


def nested(annotation: Any) -> list[type[BaseModel]]:
    """The models that a value of this annotation, or its entries, may have."""
    found = fields.models(annotation)
    for inner in fields.entries(annotation):
        found += nested(inner)
    return list(dict.fromkeys(found))


def anchor(model: type[BaseModel]) -> str:
    """A link to the section of a model."""
    return f"[{model.__name__}](#{model.__name__.lower()})"


def type_of(annotation: Any) -> str:
    """A type in words, with links to the models in it."""
    words: list[str] = []
    for alternative in fields.alternatives(annotation):
        origin: Any = get_origin(alternative)
        if origin in {tuple, list}:
            word = f"list of {type_of(get_args(alternative)[0])}"
        elif origin is dict:
            word = f"mapping of {type_of(get_args(alternative)[1])}"
        elif isinstance(alternative, type) and issubclass(alternative, BaseModel):
            word = anchor(alternative)
        elif literals := fields.literals(alternative):
            word = ", ".join(f"`{value}`" for value in literals)
        else:
            word = fields.describe(alternative)
        words.append(word)
    return " or ".join(dict.fromkeys(words))


def default_of(info: FieldInfo) -> str:
    """A default as YAML; `required` where there is none, empty where absence is the default."""
    if info.is_required():
        return "**required**"
    value = info.default
    if value is PydanticUndefined or value is None or isinstance(value, BaseModel) or value in ("", (), {}):
        return ""
    return f"`{yaml(value)}`"


def yaml(value: Any) -> str:
    """A default in YAML's flow style."""
    match value:
        case bool():
            return str(value).lower()
        case tuple() | list():
            return "[" + ", ".join(map(yaml, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{name}: {yaml(inner)}" for name, inner in value.items()) + "}"
        case str() if not re.fullmatch(r"[\w./%-]+", value):
            return f"'{value}'" if '"' in value else f'"{value}"'
        case _:
            return str(value)


def model_table(model: type[BaseModel]) -> str:
    """The fields of a model."""
    rows = [
        (
            f"`{name}`",
            type_of(info.annotation),
            cell(default_of(info)),
            sentence(info.description or fields.form(info)),
        )
        for name, info in fields.by_alias(model).items()
    ]
    return table(("field", "type", "default", "description"), rows)


def model_sections(models: list[type[BaseModel]]) -> list[str]:
    """Sections of models and of those in them, each once, in the order in which they are met."""
    sections, queue, seen = [], list(models), set(models)
    while queue:
        model = queue.pop(0)
        sections.append(f"## {model.__name__}\n\n{sentence(model.__doc__ or '')}\n\n{model_table(model)}".rstrip())
        inner = [m for info in fields.by_alias(model).values() for m in nested(info.annotation) if m not in seen]
        fresh = list(dict.fromkeys(inner))
        seen.update(fresh)
        queue = fresh + queue
    return sections


def kind_page(kind: Kind) -> str:
    """A kind: what it is for, an example, and the fields of its `spec`."""
    example = f"```yaml\n{kind.example.rstrip()}\n```" if kind.example else ""
    scope = f"{SCOPES[kind.scope]} The envelope is described in [metadata.md](metadata.md)."
    return page(kind.name, kind.summary, scope, example, *model_sections(nested(kind.spec)))


def metadata() -> str:
    """The page of what every manifest has."""
    form = "```yaml\napiVersion: syncline/v1\nkind: Sync\nmetadata: {name: …, tenant: …}\nspec: {…}\n```"
    intro = "Every manifest has these four fields, and no others."
    return page("The envelope", intro, form, *model_sections([Metadata]))


# --- Policy packs ----------------------------------------------------------------------------------------------------


def packs() -> list[Manifest]:
    """The shipped policy packs, by name."""
    return [manifest for key, manifest in sorted(catalog().items()) if key.kind == "Policy"]


def pack_page(pack: Manifest) -> str:
    """A pack: what it is for, its rules at a glance, and each with its clause, condition, remedy and tests."""
    spec = pack.spec
    assert isinstance(spec, PolicySpec)
    glance = table(
        ("rule", "about", "severity", "clause"),
        [
            (f"[{rule.name}](#{rule.name})", " ".join((rule.on, *rule.kinds)), rule.severity, cell(rule.clause))
            for rule in spec.rules
        ],
    )
    taken = f"A tenant takes it in with `policies: [{pack.key.name}]`."
    return page(spec.title, spec.description, taken, glance, *map(pack_rule, spec.rules))


def pack_rule(rule: PolicyRule) -> str:
    """A rule of a pack."""
    word, condition = ("deny", rule.deny) if rule.deny is not None else ("require", rule.require or "")
    wrapped = textwrap.fill(condition, 100, break_long_words=False, break_on_hyphens=False)
    cases = [
        (word, f"`{cell(yaml(case))}`")
        for word, some in (("allows", rule.tests.allow), ("denies", rule.tests.deny))
        for case in some
    ]
    clause = f" ({rule.clause})" if rule.clause else ""
    parts = [
        f"## {rule.name}\n\n{sentence(rule.message)}{clause}",
        f"**What to do.** {sentence(rule.help)}" if rule.help else "",
        f"`{word}`:\n\n```text\n{wrapped}\n```",
        table(("it", "for example"), cases),
    ]
    return "\n\n".join(part for part in parts if part)


def index() -> str:
    """The list of pages."""
    kinds = [(f"[{k.name}](kinds/{k.name.lower()}.md)", cell(k.summary)) for k in KIND_BY_NAME.values()]
    others = "- [Command line](cli.md)\n- [Exit codes](exit-codes.md)\n- [Codes of findings and errors](codes.md)"
    rows = [(f"[{p.key.name}](policies/{p.key.name}.md)", cell(getattr(p.spec, "title", ""))) for p in packs()]
    shipped = table(("pack", "about"), rows)
    kinds_table = table(("kind", "declares"), kinds)
    return page("Reference", others, "## Kinds of manifests", kinds_table, "## Policy packs", shipped)


# --- Writing ---------------------------------------------------------------------------------------------------------


def main() -> int:
    """Writes the pages and removes those that are no more, or says what is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 when a page is out of date")
    check = parser.parse_args().check
    wanted = pages()
    present = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.md")}
    stale = sorted(present - wanted.keys())
    for name, text in wanted.items():
        path = FOLDER / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
    if not check:
        for name in present - wanted.keys():
            (FOLDER / name).unlink()
    for name in stale:
        print(f"{'out of date' if check else 'written'}: docs/reference/{name}")
    if check and stale:
        print("Run `make docs` and commit the result.")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
