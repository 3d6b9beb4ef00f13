"""Reads and checks Experiments."""

from __future__ import annotations

import sys

from benchmarks.h_experiments import text
from benchmarks.worker import serve
from kftune.katib.admission.cluster import Cluster
from kftune.lint.experiment import CheckedDocument, check_experiment
from kftune.lint.placing import placed
from kftune.lint.sources import SourceText, documents


def judged(source: SourceText) -> list[CheckedDocument]:
    cluster = Cluster()
    found = [check_experiment(document, cluster, "0.19") for document in documents(source)]
    for judgement in found:
        list(placed(judgement))
    return found


if __name__ == "__main__":
    given = SourceText("experiments.yaml", text(), named=True)
    if sys.argv[1:] == ["show"]:
        for judgement in judged(given):
            print(judgement.name if judgement.outcome == "ok" else judgement.findings)
    else:
        serve(lambda: judged(given))
