"""``python -m kftune.local.tune FILE``: the process of a tune step, which runs its study in place of Katib.

`kftune.local.pipeline.steps` writes FILE. A second try, or the next run, resumes the study's results.
Exit status: 0 done, 1 the study failed, 2 it cannot run, 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kftune import outputs
from kftune.containers import Folder
from kftune.errors import KftuneError, OutputError
from kftune.files import write_text
from kftune.local.processes.process import INTERRUPTED
from kftune.local.study.progress import Outcome
from kftune.local.study.run import run_study
from kftune.local.study.trials import TrialContainers
from kftune.local.views import View, study_view
from kftune.pipeline import EXECUTOR_OUTPUT
from kftune.pipeline.ports import hparam_type
from kftune.pipeline.steps import BEST
from kftune.results import RunFolder, Trial, open_results
from kftune.results.page import results_page
from kftune.results.records import UNSUCCESSFUL
from kftune.study import Study, study_from_dict


def main(path: Path) -> int:
    """Runs the study of a request, and returns the exit status."""
    request: dict[str, Any] = json.loads(path.read_bytes())
    try:
        study = study_from_dict(request["study"], [Path(folder) for folder in request["folders"]])
        with study_view(sys.stdout, plain=True) as view:
            outcome = _run(study, request, view)
        if outcome.state == "Succeeded" and outcome.best is not None:
            _write(study, outcome.best, Path(request["results"]), request["outputs"])
        elif outcome.state == "Failed":
            sys.stdout.write(f"{_why_failed(outcome)}\n")
        return outcome.exit_code
    except OutputError:
        return INTERRUPTED  # nobody reads why
    except KftuneError as error:
        sys.stdout.write(f"{error}\n")
        return 2


def _run(study: Study, request: Mapping[str, Any], view: View) -> Outcome:
    given = request["containers"]
    containers = TrialContainers()
    if given is not None:
        inputs = [Folder(Path(source), target, read_only=True) for source, target in given["inputs"]]
        containers = TrialContainers({"": given["image"]}, given["labels"], inputs, given["network"])
    return run_study(
        study,
        request["results"],
        # The file itself is not read again; only its folder counts.
        study_path=Path(request["place"]) / "study.yaml",
        on_event=view,
        gpus=request["gpus"],
        runtime="process" if given is None else "container",
        containers=containers,
        retry_failed=_has_failed(Path(request["results"])),
    )


def _has_failed(results: Path) -> bool:
    """Whether too many trials failed in an earlier try of the step: then it can go on only if they run again."""
    if not RunFolder(results).database.is_file():
        return False
    with open_results(results) as stored:
        return stored.reason() == "MaxFailedReached"


def _why_failed(outcome: Outcome) -> str:
    """Returns the last line of the log, which the pipeline shows: what the view printed above it may be long."""
    if outcome.reason != "MaxFailedReached":
        return f"the study has failed: {outcome.message}"
    failed = sum(outcome.counts.get(state, 0) for state in UNSUCCESSFUL)
    return f"the study has failed: {failed} failed trials are too many; the next run of the pipeline runs them again"


def _write(study: Study, best: Trial, results: Path, paths: Mapping[str, str]) -> None:
    """Writes the outputs of the step."""
    for name in study.searched_arguments:
        leaf = study.hparams.leaf(name)
        # A hyperparameter that was not active has no value in the best trial.
        text = best.assignment[name] if name in best.assignment else leaf.encode(leaf.default)
        is_text = hparam_type(study.hparams, name) == "str"
        outputs.write(paths[f"{BEST}.{name}"], text if is_text else leaf.jsonable(leaf.decode(text)))
    outputs.write(paths["best_trial"], best.name)
    outputs.write(paths["objective"], float(best.objective or 0.0))
    # As on a cluster: the latest value of each metric, whichever value counts in the study.
    latest = {name: values.number("latest") for name, values in best.metrics.items()}
    metrics = {name: value for name, value in latest.items() if value is not None}
    outputs.write_metrics(paths["metrics"], metrics, paths[EXECUTOR_OUTPUT])
    with open_results(results) as stored:
        write_text(Path(paths["report"]), results_page(stored))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
