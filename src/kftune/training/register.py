"""``python -m kftune.training register``: a model card and a manifest for a trained model. It loads no torch.

The manifest (JSON) holds ``name``, ``files`` (path -> bytes and SHA-256), ``hparams``, ``metrics``, ``revision`` and
``created``; the last two are null unless given, so that the same model has the same manifest whenever it is written.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kftune.errors import HparamsError, MissingExtraError
from kftune.files import write_text
from kftune.training.arguments import step_arguments
from kftune.training.entry import ENTRY_ARGUMENTS, Entry, check_entry, entry_of
from kftune.training.folder import read_json, read_summary

USAGE = """\
usage: python -m kftune.training register --model=PATH --card=PATH --manifest=PATH [--name=value ...]

Describes a trained model: what it is, how good it is, and which files belong to it.

arguments:
  --model        the folder that a training wrote
  --card         the file to write: the model card, Markdown
  --manifest     the file to write: files with their SHA-256, hyperparameters, metrics and source as JSON
  --registered   a folder to write: the model's files with card.md and manifest.json beside them
  --metrics      metrics as JSON, as evaluate writes them
  --title        what the model is called (default: model)
  --revision     revision of the source that trained it
  --created      when it was registered, ISO 8601; left out, nobody knows

arguments for Kubeflow's Model Registry:
  --model_registry   its address, http(s)://HOST:PORT; left out, nothing is sent anywhere
  --uri              where others find the model, such as s3://bucket/path; needed with --model_registry
  --version          the version's name (default: the first 12 digits of the manifest's SHA-256)
  --author           who made it
  --description      a sentence about this version

environment:
  KFTUNE_MODEL_REGISTRY_TOKEN   the token that the Model Registry wants, if it does
  KF_PIPELINES_SA_TOKEN_PATH    a file with it, where the first is not set
"""


def run(argv: Sequence[str]) -> int:
    """Writes card and manifest, enters the model where an address is given, and gives the exit status.

    Raises:
        UsageError: The arguments are not those of the step.
        HparamsError: The folder holds no finished model, or the metrics are none.
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
    card = model_card(manifest, summary)
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    write_text(Path(given["card"]), card)
    write_text(Path(given["manifest"]), text)
    if "registered" in given:
        _write_package(folder, Path(given["registered"]), card, text)
    print(f"{manifest['name']}: {len(manifest['files'])} files", flush=True)
    if "model_registry" in given:
        entry = entry_of(given, manifest, text, ("pytorch", str(summary["versions"]["torch"])))
        print(_enter(given["model_registry"], entry), flush=True)
    return 0


def model_card(manifest: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """The Markdown of a model card.

    Args:
        manifest: As it is written.
        summary: What the training left in ``summary.json``.
    """
    windows, versions = summary["windows"], summary["versions"]
    source = [("source revision", manifest["revision"]), ("registered", manifest["created"])]
    parts = [
        f"# {_plain(manifest['name'])}",
        f"Predicts the readings of {_plain(summary['circuit'])}. Trained for {summary['epochs']} epochs on "
        f"{windows['train']} windows; kept is epoch {summary['best']['epoch']}, the best on {windows['val']} windows "
        f"for validation.",
        "## Metrics",
        _table(("metric", "value"), [(name, f"{value:.4g}") for name, value in manifest["metrics"].items()]),
        "## Limits",
        "Faults and gaps were left out of training, so the model knows normal operation only. The readings for "
        "validation also chose the epoch to keep: expect a little more error on new ones.",
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
    """A value as Markdown that means nothing but itself."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    marks = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]<>|#"})
    return " ".join(text.translate(marks).split())


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): _described(path) for path in files}


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _metrics(path: Path) -> dict[str, float]:
    found = read_json(path)
    wrong = next((name for name, value in found.items() if type(value) not in (int, float)), None)
    if wrong is not None:
        raise HparamsError(f"{path} must hold a number for each metric, but {wrong!r} is {found[wrong]!r}")
    return found


def _write_package(model: Path, target: Path, card: str, manifest: str) -> None:
    shutil.copytree(model, target, dirs_exist_ok=True)
    write_text(target / "card.md", card)
    write_text(target / "manifest.json", manifest)  # last: where it is, everything is


def _enter(address: str, entry: Entry) -> str:
    try:
        from kftune.training.model_registry import enter  # noqa: PLC0415 - no other step needs the client
    except ModuleNotFoundError as error:
        raise MissingExtraError("model-registry", "model-registry") from error
    return enter(address, entry)
