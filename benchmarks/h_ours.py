"""Reads and checks Experiments."""

from __future__ import annotations

import sys

from benchmarks.h_experiments import text
from benchmarks.worker import serve
from kftune.katib.admission.cluster import Cluster
from kftune.lint.judging import Judgement, judge
from kftune.lint.report import placed
from kftune.lint.sources import Source, documents


def judged(source: Source) -> list[Judgement]:
    cluster = Cluster()
    found = [judge(document, cluster, "0.19") for document in documents(source)]
    for judgement in found:
        list(placed(judgement))
    return found


if __name__ == "__main__":
    given = Source("experiments.yaml", text(), named=True)
    if sys.argv[1:] == ["show"]:
        for judgement in judged(given):
            print(judgement.name if judgement.outcome == "ok" else judgement.findings)
    else:
        serve(lambda: judged(given))
