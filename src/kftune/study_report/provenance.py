"""Where a study's results come from, and what its best trial is, as texts."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Sequence

from kftune import yaml_text
from kftune._version import __version__
from kftune.errors import YamlError
from kftune.results.as_given import given_lines
from kftune.results.origins import chosen_by, short
from kftune.results.records import UNSUCCESSFUL, Meta, Trial
from kftune.results.trials import Trials

_FIELDS = (("origin.code", "code"), ("origin.revision", "revision"))


def provenance(results: Trials, trials: Sequence[Trial]) -> list[tuple[str, str]]:
    """Returns what is known of the origin of results, as label and text.

    Args:
        results: The results.
        trials: Its trials.
    """
    meta = results.meta
    found = [
        ("study", meta.name),
        ("results in", results.place),
        ("first run", meta.created),
        *_chosen_by(meta, trials),
        *_ran(trials),
        ("budget", f"{meta.max_trials} trials, {meta.parallel} at a time" if meta.max_trials else ""),
        ("ended by", results.reason() or ("" if results.writer() is None else "nothing yet: it is running")),
        ("fixed values", json.dumps(meta.fixed, ensure_ascii=False) if meta.fixed else ""),
        *_compared(meta),
        ("identity", short("origin.code", meta.identity)),
        ("written by", f"kftune {meta.version}" if meta.version else ""),
        ("report by", f"kftune {__version__}"),
    ]
    return [(label, text) for label, text in found if text]


def _chosen_by(meta: Meta, trials: Sequence[Trial]) -> list[tuple[str, str]]:
    """Returns the algorithm with its settings and seed; of several, with the number of trials of each."""
    used = Counter(
        (origin.algorithm, json.dumps(origin.settings, sort_keys=True), origin.seed)
        for origin in (trial.origin for trial in trials)
        if origin.algorithm
    )
    used = used or Counter([(meta.algorithm, json.dumps(meta.settings, sort_keys=True), meta.seed)])
    texts = [
        f"{chosen_by(algorithm, seed)}{'' if settings == '{}' else f', {settings}'}"
        + (f" ({count} trials)" if len(used) > 1 else "")
        for (algorithm, settings, seed), count in used.items()
        if algorithm
    ]
    return [("values chosen by", "; ".join(texts))]


def _ran(trials: Sequence[Trial]) -> list[tuple[str, str]]:
    """Returns the code and the git revision of the trials."""
    found = []
    for label, field in _FIELDS:
        used = Counter(getattr(trial.origin, field) for trial in trials)
        several = len(used) > 1
        texts = [
            (short(label, value) or "unknown") + (f" ({count} trials)" if several else "")
            for value, count in used.items()
            if value or several
        ]
        found.append(("code or image" if field == "code" else "git revision", "; ".join(texts)))
    return found


def _compared(meta: Meta) -> list[tuple[str, str]]:
    """Returns the command and the other parts of what makes trials comparable, but for the space."""
    shown = {key: value for key, value in meta.compared.items() if key not in ("space", "fixed")}
    return [
        (key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for key, value in shown.items()
    ]


def best_yaml(trial: Trial, meta: Meta) -> str:
    """Returns the values of a trial as a study's or a pipeline's YAML has them.

    Args:
        trial: The trial.
        meta: The study.
    """
    try:
        return yaml_text.dump({**meta.fixed, **trial.point})
    except YamlError as error:
        return f"# these values cannot be written as YAML: {error}\n"


def best_argv(trial: Trial, meta: Meta) -> str:
    """Returns what `kftune best --format args` prints of a trial, on one line and quoted for a shell.

    Args:
        trial: The trial.
        meta: The study.
    """
    return shlex.join(given_lines(trial, meta))


def failures(trials: Sequence[Trial]) -> list[tuple[str, str, list[str]]]:
    """Returns the failed trials by what they have in common: state, message, names; the most frequent first."""
    groups: dict[tuple[str, str], list[str]] = {}
    for trial in trials:
        if trial.state in UNSUCCESSFUL:
            groups.setdefault((trial.state, trial.message), []).append(trial.name)
    return [(*key, names) for key, names in sorted(groups.items(), key=lambda each: -len(each[1]))]
