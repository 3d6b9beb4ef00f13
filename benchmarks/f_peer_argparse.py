"""The same 20 fields as a hand-written parser."""

from __future__ import annotations

import argparse
import sys

from benchmarks.f_arguments import ARGV
from benchmarks.worker import serve


def boolean(text: str) -> bool:
    return {"true": True, "false": False}[text]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--resume", type=boolean, default=False)
    parser.add_argument("--optimizer.name", default="sgd")
    parser.add_argument("--optimizer.lr", type=float, default=1e-3)
    parser.add_argument("--optimizer.momentum", type=float, default=0.0)
    parser.add_argument("--optimizer.weight_decay", type=float, default=0.0)
    parser.add_argument("--optimizer.nesterov", type=boolean, default=False)
    parser.add_argument("--model.layers", type=int, default=2)
    parser.add_argument("--model.units", type=int, default=64)
    parser.add_argument("--model.dropout", type=float, default=0.0)
    parser.add_argument("--model.activation", default="relu")
    parser.add_argument("--model.bias", type=boolean, default=True)
    parser.add_argument("--data.path", default="/data")
    parser.add_argument("--data.window", type=int, default=24)
    parser.add_argument("--data.horizon", type=int, default=1)
    parser.add_argument("--data.share", type=float, default=0.8)
    parser.add_argument("--data.shuffle", type=boolean, default=True)
    return parser.parse_args(ARGV)


if __name__ == "__main__":
    if sys.argv[1:] == ["show"]:
        print(vars(parse()))
    else:
        serve(parse)
