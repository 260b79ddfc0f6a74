"""Frameworks and their controls: what each asks for, who answers for it, and what in the log shows it. Values only."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from syncline.model.event import Action


class Responsibility(StrEnum):
    """Who makes a control hold: this software, whoever operates it, or the organisation around them."""

    software = "software"
    operator = "operator"
    organisation = "organisation"


class Control(Struct, frozen=True):
    """
    One control. `does` says what is done for it here, or what is left to whoever answers for it. `actions` are those
    that show it in the log, and `rules` those of the policy pack whose decisions do (`pack/rule`).
    """

    id: str
    title: str
    responsibility: Responsibility
    does: str
    actions: tuple[Action, ...] = ()
    rules: tuple[str, ...] = ()


class Framework(Struct, frozen=True):
    """A framework: its name on the command line, its title with its edition, and the controls that concern data flows.

    Controls about people, premises and contracts alone are not listed: no log of a program shows them.
    """

    name: str
    title: str
    controls: tuple[Control, ...]
