"""(b) Rendering a study as a Katib Experiment: one from the command line, one in process, 10 000 into a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import (
    KFTUNE,
    PYTHON,
    ROOT,
    Comparison,
    Line,
    Skipped,
    chunks_in_turn,
    output,
    processes_in_turn,
)
from benchmarks.stacks import KATIB, KUBEFLOW, MAIN

TITLE = "a study as a Katib Experiment"
STACKS = (MAIN, KATIB, KUBEFLOW)

STUDY = ROOT / "pipelines" / "circuits" / "study.yaml"
MANY = 10_000
FEW = 100

OURS = (PYTHON, "-m", "benchmarks.b_ours")
KATIB_PEER = (KATIB.python, "-m", "benchmarks.b_peer_katib")
KUBEFLOW_PEER = (KUBEFLOW.python, "-m", "benchmarks.b_peer_kubeflow")


def measure(rounds: int, folder: Path) -> Iterator[Line]:
    output([*OURS, "prepare", str(MANY), folder])
    yield _whole_process(rounds)
    yield _against_katib(rounds, folder)
    yield _against_kubeflow(rounds, folder)
    yield from _many(rounds, folder)


def _whole_process(rounds: int) -> Line:
    names = ("kftune render study.yaml, whole process", "python -c 'import kubeflow.katib'")
    if KATIB.missing:
        return Skipped(*names, KATIB.missing)
    ours, peer = processes_in_turn(
        rounds, [KFTUNE, "render", STUDY, "--target", "katib"], [KATIB.python, "-c", "import kubeflow.katib"]
    )
    return Comparison(*names, "s", ours.seconds, peer.seconds, goal=0.10)


def _against_katib(rounds: int, folder: Path) -> Line:
    names = ("Study(...) to text, in process", "Katib SDK: models, sanitize_for_serialization, safe_dump")
    if KATIB.missing:
        return Skipped(*names, KATIB.missing)
    ours, peer = chunks_in_turn(rounds, [*OURS, "serve"], [*KATIB_PEER, "serve", folder])
    return Comparison(*names, "µs", ours, peer, goal=0.04)


def _against_kubeflow(rounds: int, folder: Path) -> Line:
    names = ("Study(...) to text, in process", "Kubeflow SDK: models, to_dict, CSafeDumper")
    if KUBEFLOW.missing:
        return Skipped(*names, KUBEFLOW.missing)
    mine, theirs = folder / "one-ours.yaml", folder / "one-kubeflow.yaml"
    output([*OURS, "write", "1", mine])
    output([*KUBEFLOW_PEER, "write", folder, theirs])
    output([*OURS, "check", mine, theirs])
    ours, peer = chunks_in_turn(rounds, [*OURS, "serve"], [*KUBEFLOW_PEER, "serve", folder])
    return Comparison(*names, "µs", ours, peer, goal=0.2)


def _many(rounds: int, folder: Path) -> Iterator[Line]:
    """Compares many studies in one file. The peer takes most of the time here, so it has no warm-up run."""
    mine, theirs = folder / "ours.yaml", folder / "katib.yaml"
    many, few = processes_in_turn(rounds, [*OURS, "write", str(MANY), mine], [*OURS, "write", str(FEW), mine])
    names = (f"{MANY} studies into a file, peak memory", f"{FEW} studies")
    yield Comparison(*names, "MiB", many.peaks_mib, few.peaks_mib, goal=1.1)

    names = (f"{MANY} different studies into a file", "Katib SDK, the same documents")
    if KATIB.missing:
        yield Skipped(*names, KATIB.missing)
        return
    output([*OURS, "write", str(FEW), mine])
    output([*KATIB_PEER, "write", folder, str(FEW), theirs])
    output([*OURS, "check", mine, theirs])
    ours, peer = processes_in_turn(
        rounds,
        [*OURS, "write", str(MANY), mine],
        [*KATIB_PEER, "write", folder, str(MANY), theirs],
        warm_up=False,
    )
    yield Comparison(*names, "s", ours.seconds, peer.seconds, goal=0.05)
    yield Comparison(f"{names[0]}, peak memory", names[1], "MiB", ours.peaks_mib, peer.peaks_mib, goal=0.3)
