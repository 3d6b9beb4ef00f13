"""Says when trials run other code than the trials before."""

from __future__ import annotations

from collections.abc import Sequence

from kftune.results import FINISHED, Trial
from kftune.results.origins import short_revision


def changes(code: str, revision: str, earlier: Sequence[Trial]) -> list[str]:
    """Returns a note on what has changed since earlier trials ran, if anything. What is unknown is not compared.

    Args:
        code: Hash of the code that trials run now.
        revision: Its git commit.
        earlier: The stored trials, by number.
    """
    finished = [trial for trial in earlier if trial.state in FINISHED]
    others = [trial for trial in finished if code and trial.origin.code not in ("", code)]
    if others:
        return [
            f"the code has changed since {_when(others, finished, revision)}: results may differ for that reason; to "
            f"start over, run with --fresh"
        ]
    others = [trial for trial in finished if revision and trial.origin.revision not in ("", revision)]
    return [f"the git revision has changed since {_when(others, finished, revision)}"] if others else []


def _when(others: Sequence[Trial], finished: Sequence[Trial], revision: str) -> str:
    last = others[-1]
    text = f"{len(others)} of {len(finished)} trials ran, the last of them {last.name}"
    if "" in (last.origin.revision, revision) or last.origin.revision == revision:
        return text
    return f"{text} (git: {short_revision(last.origin.revision)} then, {short_revision(revision)} now)"
