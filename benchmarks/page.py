"""Renders the figures of one run as a Markdown page."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Report = Mapping[str, Any]

_HEAD = """# Benchmarks: the figures of one run

kftune compared with the usual tools: {machine}, {rounds} rounds.
[benchmarks/README.md](../benchmarks/README.md) describes what is measured and how.
`make bench ARGS='--page docs/benchmarks.md'` writes this page.

The figures are medians. The **ratio** is the median of the ratios of neighbouring measurements; the brackets show its
quartiles. Ratios are similar on other machines, seconds are not.
"""


def page(report: Report, titles: Mapping[str, str]) -> str:
    """Returns the page.

    Args:
        report: The data that `python -m benchmarks --json` writes.
        titles: For each row, what it measures.
    """
    lines = [_HEAD.format(machine=report["machine"], rounds=report["rounds"])]
    for row, title in titles.items():
        lines += [f"## ({row}) {title}", "", *_table(line for line in report["rows"] if line["row"] == row), ""]
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


def figure(values: Sequence[float], unit: str) -> str:
    """Returns the median with its unit, to three digits."""
    middle = statistics.median(values)
    return f"{middle:,.0f} {unit}" if middle >= 1000 else f"{middle:.3g} {unit}"


def _versions(stacks: Iterable[Mapping[str, str]]) -> Iterator[str]:
    for packages in stacks:
        if packages:
            yield f"- {', '.join(f'{name} {version}' for name, version in packages.items())}"
