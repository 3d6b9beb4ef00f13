"""Writes the manifests that run a study on a cluster. Same study, same bytes.

kftune render study.yaml                          to the screen
kftune render study.yaml --out build              to build/study.katib.yaml
kftune render --all pipelines --out manifests     every study below pipelines/, one folder a project
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from kftune import yaml_text
from kftune.errors import UsageError
from kftune.files import write_text
from kftune.images.studies import pinned
from kftune.render import TARGETS, Rendering, render
from kftune.study import load_study


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("study", nargs="?", type=Path, help="study file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="changes, such as budget.max_trials=4")
    parser.add_argument("--all", type=Path, metavar="DIR", help="render every study file below DIR")
    parser.add_argument("--target", choices=TARGETS, default="katib")
    parser.add_argument("--out", type=Path, help="a .yaml or .json file, or a folder (default: the screen)")
    parser.add_argument("--format", choices=["yaml", "json"], default="yaml")


def run(arguments: argparse.Namespace) -> int:
    """Renders one study or all below a folder."""
    if (arguments.study is None) == (arguments.all is None):
        raise UsageError("kftune render takes a study file, or --all DIR")
    if arguments.all is not None:
        return _render_all(arguments)
    rendering = render(pinned(load_study(arguments.study, arguments.overrides), arguments.study), arguments.target)
    text = _text(rendering, arguments.format)
    if arguments.out is None:
        sys.stdout.write(text)
    else:
        named = arguments.out.suffix in (".yaml", ".yml", ".json")
        path = arguments.out if named else arguments.out / _file_name(arguments.study, arguments)
        write_text(path, text)
        print(f"wrote {path}")
    _tell(rendering, arguments.study)
    return 0


def _render_all(arguments: argparse.Namespace) -> int:
    if arguments.out is None:
        raise UsageError("kftune render --all needs --out DIR")
    count = 0
    for path in _studies(arguments.all):
        rendering = render(pinned(load_study(path), path), arguments.target)
        target = arguments.out / path.relative_to(arguments.all).parent / _file_name(path, arguments)
        write_text(target, _text(rendering, arguments.format))
        print(f"wrote {target}")
        _tell(rendering, path)
        count += 1
    if count == 0:
        raise UsageError(f"there is no study file below {arguments.all}")
    return 0


def _studies(folder: Path) -> Iterator[Path]:
    """The study files below a folder, by name; other YAML files are passed over."""
    for path in sorted((*folder.rglob("*.yaml"), *folder.rglob("*.yml"))):
        content = yaml_text.load_file(path)
        if isinstance(content, Mapping) and {"hparams", "objective", "step"} <= set(content):
            yield path


def _file_name(study: Path, arguments: argparse.Namespace) -> str:
    return f"{study.stem}.{arguments.target}.{arguments.format}"


def _text(rendering: Rendering, form: str) -> str:
    if form == "yaml":
        return yaml_text.dump_all(rendering.documents)
    documents = rendering.documents
    return json.dumps(documents[0] if len(documents) == 1 else documents, indent=2, ensure_ascii=False) + "\n"


def _tell(rendering: Rendering, study: Path) -> None:
    for note in rendering.notes:
        print(f"note: {study}: {note}", file=sys.stderr)
