"""Options of `kftune.lint.check`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from kftune.katib.admission.defaults import KatibVersion

HelpText = Callable[[Path, Sequence[Path], Sequence[str]], str]
"""Returns what a script prints for --help, given its file, the folders of its modules, and the arguments before it."""


class LintOptions(NamedTuple):
    """What to check, and how. Create it with keywords.

    A named tuple, because importing `dataclasses` takes a tenth of the time in which lint checks one file.
    """

    katib_version: KatibVersion = "0.19"
    katib_config: str | Path | None = None
    """File with the cluster's ConfigMap katib-config; None for the default installation."""
    namespace_labelled: bool = True
    """Whether namespaces that are not in the input have Katib's label."""
    against: str | Path | None = None
    """File with the existing Experiment that the input changes."""
    select: tuple[str, ...] = ()
    """Codes or prefixes of codes, such as KT2: report only these rules; empty for all."""
    ignore: tuple[str, ...] = ()
    """Codes or prefixes: do not report these rules."""
    skip_others: bool = False
    """Pass over named files that contain nothing to check, as in a folder."""
    sample_log: str | Path | None = None
    """A trial's log: reports which metrics Katib's collector finds in it."""
    hparams: str | None = None
    """A class to compare with `script`: NAME, FILE.py:CLASS or MODULE:CLASS."""
    script: str | Path | None = None
    """The training script; None for the one that a study's step runs."""
    help_text: HelpText | None = None
    """Runs a script with --help if its source does not show its arguments; None never runs it."""
    no_import: bool = False
    """Import no module that a file names. Classes are read from their source; without one a file is not judged."""
