"""Renders the figures of one run as a Markdown page."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from benchmarks.measure import quartiles

Report = Mapping[str, Any]

_HEAD = """# Benchmarks: the figures of one run

kftune compared with the usual tools: {machine}, {rounds} rounds.
[benchmarks/README.md](../benchmarks/README.md) describes what is measured and how.
`make bench ARGS='--page docs/benchmarks.md'` writes this page.

The figures are medians. The **ratio** is the median of the ratios of neighbouring measurements; the brackets show its
quartiles. Ratios are similar on other machines, seconds are not.

Rows i and j compare what a search finds: the distance to the least possible value, as the median over the seeds, with
quartiles. The number after a peer's figures is the share of pairs of runs that kftune wins: 0.5 means equal, 1 means
always better. Below the goal kftune is worse, beyond noise.
"""


def page(report: Report, titles: Mapping[str, str]) -> str:
    """Returns the page.

    Args:
        report: The data that `python -m benchmarks --json` writes.
        titles: For each row, what it measures.
    """
    lines = [_HEAD.format(machine=report["machine"], rounds=report["rounds"])]
    for row, title in titles.items():
        found = [line for line in report["rows"] if line["row"] == row]
        searches = [line for line in found if "sides" in line]
        others = [line for line in found if "sides" not in line]
        lines += [f"## ({row}) {title}", ""]
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
