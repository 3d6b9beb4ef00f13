"""Serves Optuna's dashboard over a copy of the trials: plots to explore, in a browser on this machine.

It needs optuna-dashboard: pip install 'kftune[serve]'. The trials are exported once, to a temporary file; later
ones are not in it. Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from kftune.cli.places import add_results_arguments, open_given
from kftune.errors import MissingExtraError, UsageError

_PORTS = range(1, 1 << 16)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_results_arguments(parser)
    parser.add_argument("--port", default="8080", help="the port to listen on (default: 8080)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: this machine only)")


def run(arguments: argparse.Namespace) -> int:
    """Exports the trials and serves them until an interrupt."""
    port = int(arguments.port) if arguments.port.isascii() and arguments.port.isdigit() else 0
    if port not in _PORTS:
        raise UsageError(f"--port is a number from 1 to {_PORTS[-1]}, but got {arguments.port!r}")
    if find_spec("optuna_dashboard") is None:
        raise MissingExtraError("serve", "optuna-dashboard", "kftune report, which needs no server")
    with TemporaryDirectory(prefix="kftune-serve-") as folder:
        file = Path(folder) / "study.db"
        with open_given(arguments) as results:
            from kftune.local.samplers.optuna_export import write_storage

            for note in write_storage(results, file):
                print(f"note: {note}", file=sys.stderr)
        return _serve(file, arguments.host, port)


def _serve(file: Path, host: str, port: int) -> int:
    from optuna_dashboard import run_server

    # So that the copy is removed, also when a service or a script ends it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    print(f"http://{host}:{port}/ shows the trials; Ctrl-C ends it", flush=True)
    try:
        run_server(f"sqlite:///{file}", host=host, port=port)
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        raise UsageError(
            f"the dashboard cannot listen on {host}:{port}: {error.strerror}; give another --port, or stop what does"
        ) from None
    return 0
