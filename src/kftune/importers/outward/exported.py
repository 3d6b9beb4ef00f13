"""What an export gives: the text of the file, and what became of each part of the study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kftune.domains import Choice, Conditional, Domain
from kftune.domains.listed import Listed
from kftune.importers.imported import Kind, Note, Open


@dataclass
class Exported:
    """The text, and the report."""

    text: str = ""
    notes: list[Note] = field(default_factory=list)
    open: list[Open] = field(default_factory=list)

    def say(self, kind: Kind, where: str, text: str) -> None:
        """Says what became of one part of the study.

        Args:
            kind: As in the report of an import.
            where: The key of the study.
            text: What it became.
        """
        self.notes.append(Note(kind, where, None, text))

    def leave(self, where: str, given: Mapping[str, Any], reasons: Mapping[str, str]) -> None:
        """Names the keys of a study that have no equivalent.

        Args:
            where: The key that holds them, with a dot at the end, or empty.
            given: What is left of the study, by key.
            reasons: Key -> what to do in its place.
        """
        for key in given:
            self.say("lost", f"{where}{key}", reasons.get(key, "nothing there is like it"))


def without_condition(domain: Domain, where: str, made: Exported) -> Domain:
    """Returns a domain without its condition, and says so.

    Args:
        domain: The domain.
        where: Its key.
        made: The export.
    """
    if not isinstance(domain, Conditional) or domain.domain is None:
        return domain
    made.say("lost", where, "the condition is left out: a value is drawn in every trial")
    return domain.domain


def say_listed(domain: Listed, where: str, made: Exported) -> None:
    """Says what became of a list of values.

    Args:
        domain: The list.
        where: Its key.
        made: The export.
    """
    if isinstance(domain, Choice):
        if domain.weights is None:
            made.say("exact", where, f"{len(domain.options)} values")
        else:
            made.say("lost", where, "the weights are left out: all values are equally likely")
    else:
        made.say("converted", where, "a list of values; that they have an order is not known there")


def ends_of(domain: Domain) -> tuple[float, float]:
    """Returns the lowest and the highest value of a range."""
    return domain.quantile(0), domain.quantile(1)


def place_of(name: str) -> str:
    """Returns where a report has a domain, whether the study or its class declares it."""
    return f"search.{name}"


def spec_of(domain: Domain) -> str:
    """Returns a domain as a study file has it, without braces around it."""
    return ", ".join(f"{key}: {value}" for key, value in domain.to_spec().items())
