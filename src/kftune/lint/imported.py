"""What a report says of the modules that were imported for it, and of those that were not."""

from __future__ import annotations

from typing import TypeVar

from kftune.hparams.imports import Imports
from kftune.lint.report import ImportedModule, PipelineReport, StudyReport
from kftune.lint.rules.rule import worst

_Report = TypeVar("_Report", StudyReport, PipelineReport)
# They say that a class cannot be had; without the right to import it, that is nobody's mistake.
_OF_CLASSES = frozenset({"KT400", "KT410", "KT414"})


def with_imports(report: _Report, watch: Imports) -> _Report:
    """Returns a report that says which modules were imported for it, and what is unknown because others were not.

    Args:
        report: The report.
        watch: What was imported.
    """
    modules = tuple(ImportedModule(*each) for each in watch.modules.items())
    report = report._replace(imported=modules, read=tuple(dict.fromkeys(watch.read)))
    if not watch.unread:
        return report
    found = tuple(each for each in report.findings if each.code not in _OF_CLASSES)
    outcome = worst(each.severity for each in found)
    return report._replace(findings=found, outcome=outcome, not_imported=tuple(dict.fromkeys(watch.unread)))
