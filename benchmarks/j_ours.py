"""kftune's search and stopping rules on a table.

python -m benchmarks.j_ours TABLE WORKERS SEEDS trials|epochs LIMIT ALGORITHM STOPPING   prints the outcome of each seed
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.epochs import simulate
from benchmarks.i_ours import Ours
from benchmarks.problems import Point, Problem, table
from kftune.stopping import Histories, Report, TrialRule, rules_from_spec


class OursStopped:
    """A search whose trials are stopped by the rules of a study's `stopping`."""

    def __init__(self, problem: Problem, algorithm: str, seed: int, stopping: dict[str, Any]) -> None:
        self._search = Ours(problem, algorithm, seed)
        self._rules = [rule for rule in rules_from_spec(stopping) if isinstance(rule, TrialRule)]
        self._histories = Histories("loss", minimize=True)
        self._stopped: set[int] = set()

    def ask(self, number: int) -> Point:
        return self._search.ask(number)

    def report(self, number: int, epoch: int, loss: float) -> bool:
        self._histories.add(number, Report("loss", loss, epoch))
        if any(rule.judge(number, self._histories) for rule in self._rules):
            self._stopped.add(number)
        return number in self._stopped

    def end(self, number: int, losses: Sequence[float]) -> None:
        self._histories.end(number, succeeded=number not in self._stopped)
        self._search.tell(number, min(losses))


def main() -> None:
    name, workers, seeds, limit, count, algorithm, stopping = sys.argv[1:]
    problem, rules, limits = table(name), json.loads(stopping), {limit: int(count)}
    outcomes = []
    for seed in range(int(seeds)):
        tuner = OursStopped(problem, algorithm, seed, rules)
        outcomes.append(simulate(problem, tuner, seed=seed, workers=int(workers), **limits))
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main()
