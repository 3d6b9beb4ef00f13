"""A study in one ZIP file, which is all that is left of it when its folder or its Experiment is deleted.

Equal results give equal bytes: no file has a time, or a path of this machine.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from kftune import yaml_text
from kftune.errors import StoreError
from kftune.results.export import to_csv, to_json, to_text
from kftune.results.sources.bundle import MOST_BYTES, RESULTS
from kftune.results.sources.own_json import read as read_json
from kftune.results.trials import Trials
from kftune.study_report.page import report_page
from kftune.study_report.provenance import best_yaml

_EPOCH = (1980, 1, 1, 0, 0, 0)
_ABOUT = {
    RESULTS: "all trials with their values, metrics and curves",
    "trials.csv": "one line for each trial",
    "curves.csv": "one line for each report of a metric",
    "report.html": "a page with plots; it opens in a browser without a network",
    "best.yaml": "the values of the best trial",
    "experiment.yaml": "the Experiment of Katib",
}


def bundle(results: Trials, sources: Mapping[str, str], folders: Sequence[str]) -> bytes:
    """Returns a ZIP file with a study.

    Args:
        results: Its trials.
        sources: More files: the study and its class.
        folders: Paths of this machine; messages of trials have them as relative paths.

    Raises:
        StoreError: It is too large to be read back.
    """
    document = _without_paths(to_json(results, curves=True), folders)
    # Everything is written from what a reader of the bundle has, so that both show the same.
    name = f"{results.meta.slug}.zip"  # not that of the file: equal results give equal bytes
    kept = read_json(document, name)
    files = {
        RESULTS: to_text(document, indent=None),
        "trials.csv": to_csv(kept),
        "curves.csv": to_csv(kept, curves=True),
        "report.html": report_page(kept),
    }
    best = kept.best() or next(iter(kept.pareto()), None)
    if best is not None:
        files["best.yaml"] = best_yaml(best, kept.meta)
    if results.meta.experiment is not None:
        files["experiment.yaml"] = yaml_text.dump(results.meta.experiment)
    files |= {f"study/{path}": text for path, text in sources.items()}
    files["README.txt"] = _readme(kept, files, name)
    size = sum(len(text.encode()) for text in files.values())
    if size > MOST_BYTES:
        raise StoreError(f"a bundle has at most {MOST_BYTES:,} bytes, but this one has {size:,}", results.place)
    return _zipped(files)


def _without_paths(document: dict[str, Any], folders: Sequence[str]) -> dict[str, Any]:
    """Returns results without the files of this machine, which a reader of the bundle does not have."""
    trials = [*document["trials"], *([document["best"]] if document["best"] else [])]
    for trial in trials:
        trial["log"] = trial["output"] = None
        for folder in folders:
            pattern = rf"{re.escape(folder)}(/|(?![\w.-]))"
            trial["message"] = re.sub(pattern, lambda found: "" if found[1] else ".", trial["message"])
    return document


def _readme(results: Trials, files: Mapping[str, str], name: str) -> str:
    meta = results.meta
    counts = ", ".join(f"{count} {state}" for state, count in results.counts().items()) or "none"
    lines = [
        f"The study {meta.name}: {meta.direction} {meta.objective.name}.",
        f"Trials: {counts}.",
        "",
        *(f"{path}: {_ABOUT.get(path, 'the study, as it was when this file was written')}" for path in sorted(files)),
        "",
        f"kftune results {name}",
        f"kftune best {name}",
        f"kftune report {name}",
    ]
    return "\n".join(lines) + "\n"


def _zipped(files: Mapping[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[path])
    return content.getvalue()
