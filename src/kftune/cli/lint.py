"""Says what a cluster would make of Katib Experiments: refuse them, fail, hang, or give wrong numbers.

kftune lint experiment.yaml                    a file of any YAML documents, or a study file
kftune lint manifests/                         every YAML file below a folder
kustomize build . | kftune lint -              standard input
kftune lint new.yaml --against live.yaml       an edit or a restart of a living Experiment

ConfigMaps and Namespaces are taken from the same input. A template in a ConfigMap that is not there is taken as good,
unless other ConfigMaps of its namespace are given. Exit code 1: a finding at or above --fail-on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kftune.errors import UsageError
from kftune.katib.admission.cluster import KatibConfig, cluster_of, config_of
from kftune.katib.admission.defaults import VERSIONS
from kftune.katib.admission.server import KIND
from kftune.katib.go.reading import NotYamlError, pieces, read
from kftune.lint.judging import Judgement, judge
from kftune.lint.report import Placed, as_json, as_lines, placed, summary_line
from kftune.lint.rule import SEVERITIES
from kftune.lint.sources import Document, Source, decoded, documents, is_judged, sources

_STUDY_KEYS = {"hparams", "objective", "step"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("places", nargs="+", metavar="FILE|DIR|-", help="YAML files, folders, - for standard input")
    parser.add_argument("--katib-version", choices=VERSIONS, default="0.19", help="default: 0.19")
    parser.add_argument("--format", choices=["text", "json", "github", "sarif"], default="text")
    parser.add_argument("--against", metavar="OLD.yaml", help="the living Experiment that the input would change")
    parser.add_argument(
        "--namespace-unlabelled", action="store_true", help="namespaces not in the input lack Katib's label"
    )
    parser.add_argument("--katib-config", metavar="FILE", help="the cluster's ConfigMap katib-config")
    parser.add_argument("--select", metavar="CODES", default="", help="only these rules, such as KT2 or KT201,KT3")
    parser.add_argument("--ignore", metavar="CODES", default="", help="all but these rules")
    parser.add_argument(
        "--fail-on", choices=[*SEVERITIES, "never"], default="wrong", help="exit 1 at this severity or a worse one"
    )


def run(arguments: argparse.Namespace) -> int:
    """Judges all Experiments of the input."""
    judged: list[tuple[Judgement, list[Placed]]] = []
    for judgement in _judgements(arguments):
        found = [each for each in placed(judgement) if _is_asked(each, arguments)]
        judged.append((judgement, sorted(found, key=lambda each: (each.line, each.column))))
    _tell(judged, arguments)
    return int(_fails(judged, arguments.fail_on))


def _tell(judged: list[tuple[Judgement, list[Placed]]], arguments: argparse.Namespace) -> None:
    if arguments.format == "json":
        print(json.dumps(as_json(judged, arguments.katib_version), indent=2))
    elif arguments.format == "sarif":
        from kftune.lint.exchange import as_sarif

        print(json.dumps(as_sarif(judged), indent=2))
    elif arguments.format == "github":
        from kftune.lint.exchange import github_lines

        for line in github_lines(judged):
            print(line)
    else:
        for judgement, found in judged:
            for line in as_lines(judgement, found):
                print(line)
        print(summary_line([judgement for judgement, _ in judged]))


def _judgements(arguments: argparse.Namespace) -> Iterator[Judgement]:
    found: list[tuple[Document, bool]] = []
    for source in sources(arguments.places):
        for document in documents(source):
            if _is_study(document):
                found += ((rendered, True) for rendered in _rendered(source))
            else:
                found.append((document, source.named))
    cluster = cluster_of(
        (document.value for document, _ in found), _config(arguments), labelled=not arguments.namespace_unlabelled
    )
    old = _old(arguments.against)
    for document, named in found:
        if is_judged(document, named):
            yield judge(document, cluster, arguments.katib_version, old)


def _config(arguments: argparse.Namespace) -> KatibConfig:
    if arguments.katib_config is None:
        return KatibConfig()
    return config_of(decoded(Path(arguments.katib_config).read_bytes()), arguments.katib_config)


def _old(place: str | None) -> Any:
    """The first Experiment of the file."""
    if place is None:
        return None
    try:
        for piece in pieces(decoded(Path(place).read_bytes())):
            value = read(piece.text)
            if isinstance(value, dict) and value.get("kind") == KIND:
                return value
    except NotYamlError as error:
        raise UsageError(f"{place}:{error.line}: {error.message}") from None
    raise UsageError(f"{place} holds no Experiment; --against takes the living one, as kubectl get -o yaml prints it")


def _is_study(document: Document) -> bool:
    return isinstance(document.value, Mapping) and set(document.value) >= _STUDY_KEYS


def _rendered(source: Source) -> Iterator[Document]:
    """The documents that a study file renders to; places are those of the rendered text."""
    from kftune import yaml_text
    from kftune.images.studies import pinned
    from kftune.render import render
    from kftune.study import load_study

    path = Path(source.file)
    text = yaml_text.dump_all(render(pinned(load_study(path), path), "katib").documents)
    yield from documents(source._replace(text=text, file=f"{source.file} (rendered)"))


def _is_asked(each: Placed, arguments: argparse.Namespace) -> bool:
    code = each.finding.code
    selected = tuple(filter(None, arguments.select.split(",")))
    ignored = tuple(filter(None, arguments.ignore.split(",")))
    return (not selected or code.startswith(selected)) and not (ignored and code.startswith(ignored))


def _fails(judged: list[tuple[Judgement, list[Placed]]], least: str) -> bool:
    if least == "never":
        return False
    worst = SEVERITIES.index(least)
    return any(SEVERITIES.index(each.finding.severity) <= worst for _, found in judged for each in found)
