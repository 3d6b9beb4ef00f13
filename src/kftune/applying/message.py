"""What a commit and a pull request say about values that are applied."""

from __future__ import annotations

from typing import NamedTuple

from kftune._version import __version__
from kftune.applying.chosen import Chosen
from kftune.applying.evidence import Evidence
from kftune.applying.plan import Plan
from kftune.results import SCORED, Trials, slug
from kftune.results.origins import chosen_by, short, short_revision

_LONGEST_TITLE = 72


class Message(NamedTuple):
    """A title, and the text below it."""

    title: str
    body: str

    @property
    def commit(self) -> str:
        """The message of a commit."""
        return f"{self.title}\n\n{self.body}"


def message_for(results: Trials, chosen: Chosen, evidence: Evidence, plan: Plan) -> Message:
    """Returns title and text: what changes, and what speaks for it.

    Args:
        results: The trials of the study.
        chosen: The trial that is applied.
        evidence: How it compares.
        plan: The changes.
    """
    meta, trial = results.meta, chosen.trial
    place = plan.target.at or plan.target.path.name
    title = f"Apply {trial.name} of {meta.name} to {place}"
    if len(title) > _LONGEST_TITLE:
        title = f"Apply {trial.name} to {place}"
    scored = sum(count for state, count in results.counts().items() if state in SCORED)
    baseline = "" if evidence.baseline is not None else "\n- baseline: none; no trial ran with the values of the file"
    origin = trial.origin
    facts = [
        *evidence.lines(),
        f"trials: {sum(results.counts().values())}, {scored} with a result",
        f"study: {meta.name}, algorithm {chosen_by(origin.algorithm or 'unknown', origin.seed)}",
        origin.code and f"code: {short('origin.code', origin.code)}",
        origin.revision and f"git revision of the trials: {short_revision(origin.revision)}",
        *evidence.differences,
    ]
    body = "\n".join(
        [
            "Values:",
            "",
            *(f"- {change.line()}" for change in plan.changes),
            "",
            "Evidence:",
            "",
            *(f"- {fact}" for fact in facts if fact),
        ]
    )
    return Message(title, f"{body}{baseline}\n\nMade by kftune {__version__}.\n")


def branch_name(results: Trials, plan: Plan) -> str:
    """Returns the name of a branch for the values of a study.

    Args:
        results: The trials of the study.
        plan: The changes.
    """
    at = slug(plan.target.at.replace("/", "-")) if plan.target.at else ""
    return "-".join(filter(None, (f"kftune/{results.meta.slug}", at)))
