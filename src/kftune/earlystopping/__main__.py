"""Katib's early stopping service with kftune's rules.

python -m kftune.earlystopping                     as Katib starts it: at port 6788
python -m kftune.earlystopping --address 127.0.0.1:0
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading

from kftune.errors import KftuneError, MissingExtraError

_GRACE = 5.0


def main(arguments: list[str] | None = None) -> int:
    """Serves until it is asked to end.

    Args:
        arguments: The command line; that of the process if None.
    """
    parser = argparse.ArgumentParser(prog="python -m kftune.earlystopping", description=__doc__.partition("\n")[0])
    parser.add_argument("--address", default="[::]:6788", help="where it listens, as host:port (default: %(default)s)")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    try:
        _serve(given.address)
    except KftuneError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _serve(address: str) -> None:
    try:
        # The package needs gRPC here only.
        from kftune.earlystopping.service import EarlyStopping, serve  # noqa: PLC0415
    except ImportError as error:
        package = "protobuf" if (error.name or "").startswith("google") else "grpcio"
        raise MissingExtraError("katib", package) from error
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    server, port = serve(address, EarlyStopping())
    logging.getLogger("kftune.earlystopping").info("listens at port %d", port)
    ended.wait()
    server.stop(_GRACE).wait()


if __name__ == "__main__":
    sys.exit(main())
