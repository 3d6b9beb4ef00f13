"""``python -m kftune.training register``: a model card and a manifest for a trained model. It loads no torch.

The manifest (JSON) contains ``name``, ``files`` (path -> bytes and SHA-256), ``hparams``, ``metrics``, ``revision`` and
``created``. The last two are null unless given, so that the same model always has the same manifest.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kftune.errors import HparamsError, MissingExtraError
from kftune.files import write_text
from kftune.training.about import about_of
from kftune.training.arguments import step_arguments
from kftune.training.folder import read_json, read_summary
from kftune.training.registry_entry import ENTRY_ARGUMENTS, ModelEntry, check_entry, entry_of

USAGE = """\
usage: python -m kftune.training register --model=PATH --card=PATH --manifest=PATH [--name=value ...]

Describes a trained model: what it is, how good it is, and which files belong to it.

arguments:
  --model        folder that a training wrote; its checkpoints/ and tensorboard/ are left out
  --card         file to write: the model card, in Markdown
  --manifest     file to write: files with their SHA-256, hyperparameters, metrics and source, as JSON
  --registered   folder to write: the model's files, card.md and manifest.json
  --metrics      file with metrics as JSON, as the evaluate step writes it
  --title        name of the model (default: model)
  --revision     revision of the source that trained the model
  --created      time of registration, ISO 8601 (default: not stored)

arguments for Kubeflow's Model Registry:
  --model_registry   its address, http(s)://HOST:PORT (default: nothing is sent)
  --uri              where others find the model, such as s3://bucket/path; required with --model_registry
  --version          name of the version (default: the first 12 digits of the manifest's SHA-256)
  --author           who made the model
  --description      a sentence about this version

environment:
  KFTUNE_MODEL_REGISTRY_TOKEN   token for the Model Registry, if it requires one
  KF_PIPELINES_SA_TOKEN_PATH    file with the token, used when KFTUNE_MODEL_REGISTRY_TOKEN is not set
"""

_OF_TRAINING = ("checkpoints", "tensorboard")
"""Folders in that of a training which are not part of the model."""


def run(argv: Sequence[str]) -> int:
    """Writes card and manifest, enters the model if an address is given, and returns the exit status.

    Raises:
        UsageError: The arguments are invalid.
        HparamsError: The folder contains no finished model, or the metrics are invalid.
        ModelRegistryError: The Model Registry cannot be reached or refuses.
        MissingExtraError: An address is given, and the registry's client is not installed.
        OSError: A file cannot be read or written.
    """
    further = ("registered", "metrics", "title", "revision", "created", *ENTRY_ARGUMENTS)
    given = step_arguments("register", argv, ("model", "card", "manifest"), further)
    check_entry(given)
    folder = Path(given["model"])
    manifest: dict[str, Any] = {
        "name": given.get("title", "model"),
        "revision": given.get("revision"),
        "created": given.get("created"),
        "hparams": read_json(folder / "hparams.json"),
        "metrics": _metrics(Path(given["metrics"])) if "metrics" in given else {},
        "files": _files(folder),
    }
    summary = read_summary(folder)
    card = _model_card(manifest, summary)
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    write_text(Path(given["card"]), card)
    write_text(Path(given["manifest"]), text)
    if "registered" in given:
        _write_package(folder, manifest["files"], Path(given["registered"]), card, text)
    left_out = [f"{name}/" for name in _OF_TRAINING if (folder / name).is_dir()]
    without = f", without {' and '.join(left_out)}" if left_out else ""
    print(f"{manifest['name']}: {len(manifest['files'])} files{without}", flush=True)
    if "model_registry" in given:
        entry = entry_of(given, manifest, text, ("pytorch", str(summary["versions"]["torch"])))
        print(_enter(given["model_registry"], entry), flush=True)
    return 0


def _model_card(manifest: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    about, versions = about_of(summary), summary["versions"]
    source = [("source revision", manifest["revision"]), ("registered", manifest["created"])]
    parts = [
        f"# {_plain(manifest['name'])}",
        _plain(about.card(summary)),
        "## Metrics",
        _table(("metric", "value"), [(name, f"{value:.4g}") for name, value in manifest["metrics"].items()]),
        "## Limits",
        about.limits,
        "## Hyperparameters",
        _table(("name", "value"), manifest["hparams"].items()),
        "## Source",
        _table(("what", "value"), [(what, value or "not given") for what, value in source] + [*versions.items()]),
        "## Files",
        _table(
            ("file", "bytes", "SHA-256"),
            [(name, about["bytes"], about["sha256"]) for name, about in manifest["files"].items()],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _table(heading: Sequence[str], rows: Any) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(_plain(cell) for cell in line)} |" for line in lines)


def _plain(value: object) -> str:
    """Returns a value as plain text in Markdown."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    marks = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]<>|#"})
    return " ".join(text.translate(marks).split())


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.relative_to(folder).parts[0] in _OF_TRAINING:
            continue
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        files[str(path.relative_to(folder))] = {"bytes": path.stat().st_size, "sha256": digest}
    return files


def _metrics(path: Path) -> dict[str, float]:
    found = read_json(path)
    wrong = next((name for name, value in found.items() if type(value) not in (int, float)), None)
    if wrong is not None:
        raise HparamsError(f"{path} must have a number for each metric, but {wrong!r} is {found[wrong]!r}")
    return found


def _write_package(model: Path, files: Iterable[str], target: Path, card: str, manifest: str) -> None:
    for name in files:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(model / name, target / name)
    write_text(target / "card.md", card)
    write_text(target / "manifest.json", manifest)  # last: once it exists, everything does


def _enter(address: str, entry: ModelEntry) -> str:
    try:
        from kftune.training.model_registry import enter  # noqa: PLC0415 - no other step needs the client
    except ModuleNotFoundError as error:
        raise MissingExtraError("model-registry", "model-registry") from error
    return enter(address, entry)
