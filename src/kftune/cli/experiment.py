"""Prepares a Katib Experiment for `kftune run`: selects it, checks it as lint does, and reads its options."""

from __future__ import annotations

import argparse
import copy
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kftune.cli.places import new_results
from kftune.errors import UsageError, suggestion
from kftune.katib.admission.cluster import Cluster, KatibConfig, cluster_of
from kftune.katib.admission.server import API_VERSION
from kftune.katib.admission.stock import with_stock_template
from kftune.lint.experiment import CheckedDocument, check_experiment
from kftune.lint.placing import placed
from kftune.lint.sources import Document, SourceText, decoded, documents
from kftune.spec.kind import kind_of

if TYPE_CHECKING:
    from kftune.containers import Network
    from kftune.local.study.events import OnEvent

EDITABLE = ("maxTrialCount", "parallelTrialCount", "maxFailedTrialCount")
"""The keys of an Experiment's spec that a run can change."""
_NETWORKS: Mapping[str, Network] = {"none": "none", "engine": "default", "host": "host"}
_REPORTED = ("fails", "hangs", "wrong")
_REFUSED_SETTING = "KT268"


def prepared(arguments: argparse.Namespace, gpus: tuple[str, ...] | None) -> tuple[Path, Callable[[OnEvent], int]]:
    """Returns the folder of the results, and what runs the Experiment, given a function to call with each event.

    Args:
        arguments: What `kftune.cli.run` declares.
        gpus: Devices to distribute among trials; None for those that the machine has.

    Raises:
        UsageError: The file has no such Experiment, a cluster would refuse it, or an option is invalid.
    """
    from kftune.local.experiment import Options, run_experiment
    from kftune.results import slug

    if arguments.network is not None and arguments.runtime != "container":
        raise UsageError(
            "--network is for trials in containers; processes have that of this machine (add --runtime container)"
        )
    chosen = choose(arguments.file, arguments.name, arguments.settings)
    folder = new_results(arguments.dir, arguments.file, slug(str(chosen.value["metadata"]["name"])))
    options = Options(
        runtime=arguments.runtime or "process",
        env=variables(arguments.env),
        secrets=secrets(arguments.secret),
        network=_NETWORKS[arguments.network or "none"],
        mounts=mounts(arguments.mount),
        working_dir=arguments.working_dir and arguments.working_dir.resolve(),
        strict_wrapper=arguments.strict_wrapper,
        gpus=gpus,
    )

    def go(on_event: OnEvent) -> int:
        return run_experiment(
            chosen.value,
            folder,
            place=arguments.file,
            cluster=chosen.cluster,
            options=options,
            seed=arguments.seed,
            as_katib=arguments.as_katib,
            on_event=on_event,
            notes=chosen.notes,
            strict=arguments.strict,
            fresh=arguments.fresh,
            retry_failed=arguments.retry_failed,
        ).exit_code

    return folder, go


class Chosen(NamedTuple):
    """The Experiment to run."""

    value: dict[str, Any]
    cluster: Cluster
    notes: list[str]
    """What lint predicts for a cluster."""


def choose(path: Path, name: str | None, overrides: list[str]) -> Chosen:
    """Returns an Experiment of a file, checked as lint does.

    Args:
        path: The file; its other documents are taken for objects of the cluster.
        name: Which Experiment, if there are several.
        overrides: ``maxTrialCount=4`` and the like.

    Raises:
        UsageError: The file has no such Experiment, or a cluster would reject it.
    """
    found = list(documents(SourceText(str(path), decoded(path.read_bytes()), named=True)))
    document = _one(path, [each for each in found if _is_experiment(each)], name)
    value = copy.deepcopy(document.value)
    for override in overrides:
        _override(value, override)
    notes = _named(value)
    cluster = cluster_of((each.value for each in found), KatibConfig(), labelled=True)
    cluster = with_stock_template(cluster, value)
    judgement = check_experiment(document._replace(value=value), cluster, "0.19")
    if not judgement.verdict.admitted:
        raise UsageError(_refusal(path, judgement))
    predicted = list(placed(judgement))
    for each in predicted:
        if each.code == _REFUSED_SETTING:  # there would be no rule to apply here
            raise UsageError(f"{path}:{each.line}:{each.column}: {each.message}")
    notes += [
        f"on a cluster ({each.code}, line {each.line}): {each.message}"
        for each in predicted
        if each.severity in _REPORTED
    ]
    return Chosen(value, cluster, notes)


def _named(value: dict[str, Any]) -> list[str]:
    """Gives an Experiment a name if it has generateName only; returns a note about it."""
    metadata = value.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("name") or not isinstance(metadata.get("generateName"), str):
        return []
    name = metadata["generateName"].rstrip("-.")
    if not name:
        return []
    metadata["name"] = name
    return [f"the Experiment has generateName; here its name is {name}, on a cluster five letters or digits follow"]


def _is_experiment(document: Document) -> bool:
    return document.error is not None or kind_of(document.value).name == "Experiment"


def _one(path: Path, found: list[Document], name: str | None) -> Document:
    unreadable = next((each for each in found if each.error is not None), None)
    if unreadable is not None and unreadable.error is not None:
        error = unreadable.error
        raise UsageError(f"{path}:{unreadable.piece.line + (error.line or 1)}:{error.column or 1}: {error.message}")
    names = [_name(each) for each in found]
    if name is None and len(found) > 1:
        raise UsageError(f"{path} has several Experiments; select one with --name: {', '.join(names)}")
    for each in found:
        if name in (None, _name(each)):
            return each
    if not found:
        raise UsageError(f"{path} has no Experiment of {API_VERSION}")
    raise UsageError(f"{path} has no Experiment {name!r}; {suggestion(str(name), names)}")


def _name(document: Document) -> str:
    metadata = document.value.get("metadata")
    given = (metadata.get("name") or metadata.get("generateName")) if isinstance(metadata, dict) else None
    return str(given) if given else "without a name"


def _override(value: dict[str, Any], text: str) -> None:
    key, _, given = text.removeprefix("spec.").partition("=")
    if key not in EDITABLE:
        raise UsageError(
            f"only {', '.join(EDITABLE)} of an Experiment can be changed here, but got {text!r}; "
            f"{suggestion(key, EDITABLE)}"
        )
    if not re.fullmatch(r"[0-9]{1,9}", given):
        raise UsageError(f"{key} must be a whole number, but got {given!r}")
    spec = value.get("spec")
    if isinstance(spec, dict):
        spec[key] = int(given)


def _refusal(path: Path, judgement: CheckedDocument) -> str:
    lines = [f"{path}: a cluster rejects this Experiment, so it does not run here:"]
    for each in placed(judgement):
        if each.severity == "refused":
            lines.append(f"  {path}:{each.line}:{each.column}: {each.code}: {each.message}")
    lines.append(f"details: kftune lint {path}")
    return "\n".join(lines)


def variables(given: list[str]) -> dict[str, str]:
    """Returns ``NAME=VALUE`` texts as a mapping.

    Raises:
        UsageError: One has another form.
    """
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", name):
            raise UsageError(f"--env takes NAME=VALUE, but got {text!r}")
        found[name] = value
    return found


def secrets(given: list[str]) -> dict[str, str]:
    """Returns variables of this process as a mapping.

    Args:
        given: Their names.

    Raises:
        UsageError: One is not set, or is no name.
    """
    for name in given:
        if "=" in name:  # its value would be in the list of processes
            raise UsageError("--secret takes the name of a variable, and its value from the environment; give no value")
        if name not in os.environ:
            raise UsageError(f"--secret takes the name of a variable, but {name} is not set; export {name}=...")
    return {name: os.environ[name] for name in given}


def mounts(given: list[str]) -> dict[str, Path]:
    """Returns ``VOLUME=PATH`` texts as a mapping, with absolute paths.

    Raises:
        UsageError: One has another form, or a path does not exist.
    """
    found = {}
    for text in given:
        name, equals, place = text.partition("=")
        if not equals or not name or not place:
            raise UsageError(f"--mount takes VOLUME=PATH or /CONTAINER/PATH=PATH, but got {text!r}")
        path = Path(place).resolve()
        if not path.exists():
            raise UsageError(f"--mount {name}: {path} does not exist")
        found[name if name == "/" else name.rstrip("/")] = path
    return found
