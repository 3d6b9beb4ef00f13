"""Renders the figures of one run as a Markdown page."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from benchmarks.measure import quartiles

Report = Mapping[str, Any]
PICTURE = "search.svg"
"""The picture of row i, beside the page."""

_HEAD = """# {title}

{about}: {machine}, {rounds} rounds.
[benchmarks/README.md](../benchmarks/README.md) describes what is measured and how.
`{command}` writes this page.
"""
_TITLE, _SPEED = "Benchmarks: the figures of one run", "kftune compared with the usual tools"
_FOUND = "kftune's search and stopping rules compared with other tools"
_RATIOS = """
The figures are medians. The **ratio** is the median of the ratios of neighbouring measurements; the brackets show its
quartiles. Ratios are similar on other machines, seconds are not.
"""
_SEARCHES = """
The figures are distances to the least value that there is: the median over {seeds} seeds, with quartiles. Less is
better. The bold number is the share of pairs of runs, one of each side, that kftune wins: 0.5 means equal, 1 means
always better. Below the goal, kftune is worse beyond noise (Mann and Whitney's test, one-sided, 1 %). The figures do
not depend on the machine, apart from the last digits of numbers. A ratio of epochs is the median over the seeds.

The default algorithm of a study, `multivariate-tpe`, was chosen from this page: see
[the decision](decisions/0013-the-default-algorithm-is-measured.md).
"""


def page(report: Report, titles: Mapping[str, str]) -> str:
    """Returns the page.

    Args:
        report: The data that `python -m benchmarks --json` writes.
        titles: For each row, what it measures.
    """
    seeds = [len(values) for line in report["rows"] if "sides" in line for values in line["sides"].values()]
    machine, rounds = report["machine"], report["rounds"]
    if seeds:
        command = "make bench-quality ARGS='--page docs/search.md'"
        lines = [
            _HEAD.format(title="What searches find", about=_FOUND, machine=machine, rounds=rounds, command=command)
        ]
        lines.append(_SEARCHES.format(seeds=min(seeds)).lstrip())
    else:
        command = "make bench ARGS='--page docs/benchmarks.md'"
        lines = [_HEAD.format(title=_TITLE, about=_SPEED, machine=machine, rounds=rounds, command=command)]
        lines.append(_RATIOS.lstrip())
    for row, title in titles.items():
        found = [line for line in report["rows"] if line["row"] == row]
        searches = [line for line in found if "sides" in line]
        others = [line for line in found if "sides" not in line]
        lines += [f"## ({row}) {title}", ""]
        if any(line.get("curves") for line in searches):
            lines += [f"![The median distance to the optimum after each trial]({PICTURE})", ""]
        if others:
            lines += [*_table(others), ""]
        for _, alike in groupby(searches, key=lambda line: list(line["sides"])):
            lines += [*_searches(list(alike)), ""]
    lines += ["## Versions", "", *_versions(report["versions"].values())]
    return "\n".join(lines) + "\n"


def _table(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    yield "| what | compared with | kftune | peer | ratio | goal | |"
    yield "|---|---|---:|---:|---|---|---|"
    for row in rows:
        if "broken" in row:
            yield f"| broken: {row['broken'].splitlines()[0]} | | | | | | |"
        elif "skipped" in row:
            yield f"| {row['ours']} | {row['peer']} | | | | | skipped: {row['skipped']} |"
        else:
            low, high = row["quartiles"]
            yield (
                f"| {row['ours']} | {row['peer']} | {figure(row['our_values'], row['unit'])} "
                f"| {figure(row['peer_values'], row['unit'])} | **{row['ratio']:.3g}** [{low:.3g} .. {high:.3g}] "
                f"| ≤ {row['goal']:g} | {'met' if row['passed'] else 'missed'} |"
            )


def _searches(lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    ours, *peers = lines[0]["sides"]
    yield f"| what | {ours} | {' | '.join(peers)} | |"
    yield f"|---|---:|{'---:|' * len(peers)}---|"
    for line in lines:
        found = (f"{spread(line['sides'][peer])}: **{line['wins'][peer]:.2f}**" for peer in peers)
        met = f"≥ {line['least']:.2f} {'met' if line['passed'] else 'missed'}"
        yield f"| {line['what']} | {spread(line['sides'][ours])} | {' | '.join(found)} | {met} |"


def spread(values: Sequence[float]) -> str:
    """Returns the median and the quartiles, to two digits."""
    low, high = quartiles(values)
    return f"{_short(statistics.median(values))} [{_short(low)} .. {_short(high)}]"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def figure(values: Sequence[float], unit: str) -> str:
    """Returns the median with its unit, to three digits."""
    middle = statistics.median(values)
    return f"{middle:,.0f} {unit}" if middle >= 1000 else f"{middle:.3g} {unit}"


def _versions(stacks: Iterable[Mapping[str, str]]) -> Iterator[str]:
    for packages in stacks:
        if packages:
            yield f"- {', '.join(f'{name} {version}' for name, version in packages.items())}"
