"""Runs a pipeline on this machine: `kftune pipeline run FILE` is the same as `kftune run FILE`."""

from __future__ import annotations

import argparse

from kftune.cli import run as runner


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("action", choices=["run"])
    runner.add_common_arguments(parser)
    runner.add_pipeline_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the pipeline."""
    return runner.run_file(arguments, ("pipeline",))
