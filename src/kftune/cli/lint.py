"""Predicts what a cluster does with Katib Experiments: refuse them, fail, hang, or give wrong numbers.

kftune lint experiment.yaml                    a file of any YAML documents, or a study file
kftune lint manifests/                         every YAML file below a folder
kustomize build . | kftune lint -              standard input
kftune lint new.yaml --against live.yaml       a change or a restart of an existing Experiment
kftune lint experiment.yaml --fix              apply the safe fixes (--diff shows them)
kftune lint experiment.yaml --sample-log LOG   which metrics Katib finds in a log
kftune lint study.yaml                         also: does it fit the class and the script's arguments?
kftune lint pipeline.yaml                      can its targets run it, and are its tune steps' Experiments correct?
kftune lint --hparams FILE.py:CLASS --script FILE
kftune lint FOLDER --no-import                 what somebody else wrote: none of its modules is imported

ConfigMaps and Namespaces are taken from the same input. A template in a ConfigMap that is not in the input is assumed
to be correct, unless the input has other ConfigMaps of its namespace. Exit code 1: a finding at or above --fail-on.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from kftune import confined
from kftune.cli.output import write_data
from kftune.errors import UsageError
from kftune.katib.admission.defaults import VERSIONS
from kftune.lint.checker import FixedText, check, fix
from kftune.lint.formats import lines
from kftune.lint.options import HelpText, LintOptions
from kftune.lint.rules.rule import SEVERITIES
from kftune.lint.sources import STDIN


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("places", nargs="*", metavar="FILE|DIR|-", help="YAML files, folders, - for standard input")
    parser.add_argument("--katib-version", choices=VERSIONS, default="0.19", help="default: 0.19")
    parser.add_argument("--format", choices=["text", "json", "github", "sarif"], default="text")
    parser.add_argument("--against", metavar="OLD.yaml", help="the existing Experiment that the input changes")
    parser.add_argument(
        "--namespace-unlabelled", action="store_true", help="namespaces that are not in the input lack Katib's label"
    )
    parser.add_argument("--katib-config", metavar="FILE", help="the cluster's ConfigMap katib-config")
    parser.add_argument("--select", metavar="CODES", default="", help="only these rules, such as KT2 or KT201,KT3")
    parser.add_argument("--ignore", metavar="CODES", default="", help="all rules except these")
    parser.add_argument(
        "--fail-on", choices=[*SEVERITIES, "never"], default="wrong", help="exit 1 at this severity or a worse one"
    )
    parser.add_argument(
        "--skip-others", action="store_true", help="pass over files that contain nothing to check, as in a folder"
    )
    parser.add_argument("--fix", action="store_true", help="apply the safe fixes; standard input goes to output")
    parser.add_argument("--diff", action="store_true", help="show what --fix would write, and write nothing")
    parser.add_argument(
        "--sample-log", metavar="FILE", help="a trial's log: which metrics are found in it, and which almost"
    )
    parser.add_argument(
        "--hparams", metavar="CLASS", help="compare NAME, FILE.py:CLASS or MODULE:CLASS with the script of --script"
    )
    parser.add_argument("--script", metavar="FILE", help="the training script, if a study's step does not show it")
    parser.add_argument(
        "--run-help",
        action="store_true",
        help="run the script with --help if its source does not show its arguments",
    )
    parser.add_argument(
        "--no-import",
        action="store_true",
        help="run no code of the input: classes are read from their source, or their files are not judged",
    )


def run(arguments: argparse.Namespace) -> int:
    """Checks the input, prints the report, and writes fixes."""
    if arguments.no_import and arguments.run_help:
        raise UsageError("--run-help runs the script, and --no-import runs no code of the input; use one of them")
    options = _options(arguments)
    stream, done = sys.stdout, "fixed"
    if arguments.fix or arguments.diff:
        texts, report = fix(arguments.places, options)
        _put_out(texts, arguments.places, only_show=arguments.diff)
        if arguments.diff or any(text.file == STDIN for text in texts):
            stream, done = sys.stderr, "would be fixed" if arguments.diff else "fixed"
    else:
        report = check(arguments.places, options)
    colours = stream.isatty() and "NO_COLOR" not in os.environ
    for line in lines(report, arguments.format, done=done, colours=colours):
        # File names may contain bytes that are not UTF-8.
        print(line.encode(errors="backslashreplace").decode(), file=stream)
    failed = arguments.fail_on != "never" and report.fails(arguments.fail_on)
    return int(failed or (arguments.diff and bool(report.fixed)))


def _options(arguments: argparse.Namespace) -> LintOptions:
    return LintOptions(
        katib_version=arguments.katib_version,
        katib_config=arguments.katib_config,
        namespace_labelled=not arguments.namespace_unlabelled,
        against=arguments.against,
        select=_codes(arguments.select),
        ignore=_codes(arguments.ignore),
        skip_others=arguments.skip_others,
        sample_log=arguments.sample_log,
        hparams=arguments.hparams,
        script=arguments.script,
        help_text=_help_text() if arguments.run_help else None,
        no_import=arguments.no_import,
    )


def _help_text() -> HelpText:
    from kftune.local.processes.usage import help_text

    return help_text


def _codes(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.replace(" ", "").split(",")))


def _put_out(texts: Iterable[FixedText], places: Sequence[str], *, only_show: bool) -> None:
    """Writes fixed texts to their files, or shows the differences.

    A file that the user has named may be a link to anywhere; a link that lint has found in a folder stays in it.
    """
    from kftune.files import write_text
    from kftune.yaml_text.difference import difference

    to_write: list[tuple[Path, str]] = []
    for text in texts:
        if only_show:
            write_data(difference(text.before, text.after, text.file))
        elif text.file == STDIN:
            write_data(text.after)
        elif text.after != text.before:
            to_write.append((_place(Path(text.file), [Path(place) for place in places]), text.after))
    for place, content in to_write:  # after all places have been checked
        write_text(place, content)


def _place(file: Path, places: Sequence[Path]) -> Path:
    if file in places:
        return file.resolve()
    folder = next(place for place in places if file.is_relative_to(place))
    return confined.resolved_below(folder, str(file.relative_to(folder)))
