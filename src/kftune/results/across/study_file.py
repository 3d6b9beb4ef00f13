"""The study that searches the narrowed space of entities, first at their shared defaults."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kftune.errors import UsageError
from kftune.results.records import Meta
from kftune.results.trials import Trials


def narrowed_study(
    found: Mapping[str, Any],
    given: Sequence[Trials],
    base: Mapping[str, Any] | None = None,
    searched: Collection[str] | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Returns a study as a file has it, and what a reader has to know about it.

    Args:
        found: What `summarise` has returned.
        given: The results of the entities.
        base: The content of the study file that is narrowed; None makes a study of what the results say.
        searched: What that study searches; None for all.

    Raises:
        UsageError: The results do not say what a trial runs.
    """
    study, notes = (dict(base), []) if base is not None else _from_results([results.meta for results in given])
    names = found["space"].keys() if searched is None else {*found["space"]} & {*searched}
    left = [name for name in found["space"] if name not in names]
    if left:
        notes.append(f"the study does not search {', '.join(left)}, so {'they stay' if len(left) > 1 else 'it stays'}")
    search = {
        **(study.get("search") or {}),
        **{name: found["space"][name] for name in found["narrowed"] if name in names},
    }
    if search:
        study["search"] = search
    if found["defaults"] is not None:
        first = {name: value for name, value in found["defaults"]["values"].items() if name in names}
        study["points"] = [first, *(each for each in study.get("points") or [] if each != first)]
    if not found["narrowed"]:
        notes.append("no range is clear enough to narrow the space to; the shared defaults are the first point")
    return study, notes


def _from_results(metas: Sequence[Meta]) -> tuple[dict[str, Any], list[str]]:
    first = metas[0]
    compared = first.compared
    if not {"hparams", "command", "objective"} <= compared.keys():
        raise UsageError(
            "these results do not say what a trial runs; give the study that they are of, which is then narrowed "
            "(--study FILE)"
        )
    same = {
        name: value
        for name, value in first.fixed.items()
        if all(name in meta.fixed and meta.fixed[name] == value for meta in metas)
    }
    other = sorted({name for meta in metas for name in meta.fixed} - same.keys())
    notes = [f"entities have different values of {', '.join(other)}, so the study does not set them"] if other else []
    command = compared["command"]
    metrics = [{"name": each.name, "reduce": each.reduce} for each in first.metrics[1 + len(first.more_objectives) :]]
    study = {
        "name": f"{first.name}-narrowed",
        "hparams": compared["hparams"],
        **({"values": same} if same else {}),
        "search": {name: spec for name, spec in first.space.items() if spec},
        **({"constraints": compared["constraints"]} if compared.get("constraints") else {}),
        **_objectives(compared),
        **({"metrics": metrics} if metrics else {}),
        "algorithm": {"name": first.algorithm, **({"settings": first.settings} if first.settings else {})},
        "budget": {"max_trials": first.max_trials, "parallel": first.parallel},
        "step": {
            "command": list(command["line"]),
            **({"arguments": command["arguments"]} if "arguments" in command else {}),
        },
    }
    notes.append("the step has the command of the results and no image; give --study FILE to keep all of a study")
    return study, notes


def _objectives(compared: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what is optimized, as a study has it."""
    known = {**compared["objective"], "regex": compared.get("regex")}
    others = known.pop("others", [])
    each = [{key: value for key, value in one.items() if value is not None} for one in (known, *others)]
    return {"objectives": each} if others else {"objective": each[0]}
