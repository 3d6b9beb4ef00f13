"""Says what a cluster would make of Katib Experiments: refuse them, fail, hang, or give wrong numbers.

kftune lint experiment.yaml                    a file of any YAML documents, or a study file
kftune lint manifests/                         every YAML file below a folder
kustomize build . | kftune lint -              standard input
kftune lint new.yaml --against live.yaml       an edit or a restart of a living Experiment
kftune lint experiment.yaml --fix              write the safe remedies (--diff shows them)
kftune lint experiment.yaml --sample-log LOG   which metrics Katib would find in a log
kftune lint study.yaml                         also: does it fit the class and the script's arguments?
kftune lint pipeline.yaml                      can its targets run it, and what of its tune steps' Experiments?
kftune lint --hparams FILE.py:CLASS --script FILE

ConfigMaps and Namespaces are taken from the same input. A template in a ConfigMap that is not there is taken as good,
unless other ConfigMaps of its namespace are given. Exit code 1: a finding at or above --fail-on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kftune.errors import UsageError
from kftune.katib.admission.defaults import VERSIONS
from kftune.lint.checker import Checker
from kftune.lint.report import Found
from kftune.lint.rules.rule import SEVERITIES
from kftune.lint.sources import STDIN, Source, sources
from kftune.lint.text import Report

if TYPE_CHECKING:
    from kftune.lint.mending import Mended
    from kftune.lint.study import HelpText


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("places", nargs="*", metavar="FILE|DIR|-", help="YAML files, folders, - for standard input")
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
    parser.add_argument(
        "--skip-others", action="store_true", help="pass over files that hold nothing to judge, as in a folder"
    )
    parser.add_argument("--fix", action="store_true", help="write the safe remedies; standard input goes to output")
    parser.add_argument("--diff", action="store_true", help="show what --fix would write, and write nothing")
    parser.add_argument(
        "--sample-log", metavar="FILE", help="a trial's log: which metrics would be found in it, and which nearly"
    )
    parser.add_argument(
        "--hparams", metavar="CLASS", help="compare NAME, FILE.py:CLASS or MODULE:CLASS with the script of --script"
    )
    parser.add_argument("--script", metavar="FILE", help="the training script, where a study's step does not tell it")
    parser.add_argument(
        "--run-help",
        action="store_true",
        help="run the script with --help where its source does not tell its arguments",
    )


def run(arguments: argparse.Namespace) -> int:
    """Judges all Experiments of the input."""
    if not arguments.places and arguments.hparams is None:
        raise UsageError(
            "kftune lint judges files, folders or standard input (-); name some, or a class with --hparams"
        )
    arguments.help_text = _help_text() if arguments.run_help else None
    checker = Checker(arguments)
    given = list(sources(arguments.places))
    if arguments.skip_others:
        given = [source._replace(named=False) for source in given]
    report = Report(sys.stdout, arguments.format, arguments.katib_version)
    changes: list[Mended] = []
    if arguments.fix or arguments.diff:
        mended, changes = checker.mended(given)
        _put_out(given, mended, only_show=arguments.diff)
        if arguments.diff or any(source.file == STDIN for source in given):
            report = report._replace(stream=sys.stderr, done="would be fixed" if arguments.diff else "fixed")
        given = mended
    checked = checker.all(given)._replace(changes=changes)
    report.tell(checked)
    return int(_fails(checked.found, arguments.fail_on) or (arguments.diff and bool(changes)))


def _help_text() -> HelpText:
    from kftune.local.processes.usage import help_text

    return help_text


def _put_out(given: Sequence[Source], mended: Sequence[Source], *, only_show: bool) -> None:
    """Writes mended texts to where they came from, or shows how they differ."""
    from difflib import unified_diff

    from kftune.files import write_text

    for old, new in zip(given, mended, strict=True):
        if only_show:
            lines = [each.text.splitlines(keepends=True) for each in (old, new)]
            for line in unified_diff(lines[0], lines[1], fromfile=old.file, tofile=new.file):
                _write_out(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
        elif new.file == STDIN:
            _write_out(new.text)
        elif new.text != old.text:
            write_text(Path(new.file).resolve(), new.text)


def _write_out(text: str) -> None:
    """Bytes that are no UTF-8 go out as they came in."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode(errors="surrogateescape"))
    sys.stdout.buffer.flush()


def _fails(judged: Sequence[Found], least: str) -> bool:
    if least == "never":
        return False
    worst = SEVERITIES.index(least)
    return any(SEVERITIES.index(each.finding.severity) <= worst for _, found in judged for each in found)
