"""What each trial of the suite for a cluster runs: it tells what it was given, then does what its study is about.

The cluster has it from a ConfigMap. Usage: ``python e2e_trial.py STUDY [TEXT ...] --name=value ...``
"""

from __future__ import annotations

import json
import math
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal, NoReturn

from kftune import (
    Choice,
    Conditional,
    Constant,
    Discrete,
    Hparam,
    Hparams,
    IntUniform,
    LogNormal,
    LogUniform,
    Normal,
    Ordinal,
    QLogNormal,
    QLogUniform,
    QNormal,
    QUniform,
    ReverseLogUniform,
    Uniform,
    report,
)

# A limit of memory that is lower than this kills the trial that uses it.
MUCH_MEMORY = 512 * 1024 * 1024


class Plain(Hparams):
    """Domains that Katib's engine draws itself."""

    lr: float = Hparam(0.1, search=Uniform(0.01, 0.1))
    units: int = Hparam(8, search=IntUniform(8, 64))
    optimizer: Literal["adam", "sgd"] = Hparam("adam", search=Choice("adam", "sgd"))
    batch: int = Hparam(16, search=Discrete(16, 32, 64))


class Inner(Hparams):
    """A group."""

    rate: float = Hparam(0.1, search=LogUniform(1e-5, 1e-1))
    steps: int = Hparam(10, search=IntUniform(0, 100, step=5))


class Encoded(Hparams):
    """A domain of each kind."""

    inner: Inner = Inner()
    decay: float = Hparam(0.9, search=ReverseLogUniform(0.9, 0.999))
    share: float = Hparam(0.1, search=QUniform(0.1, 0.5, 0.05))
    size: float = Hparam(0.1, search=QLogUniform(0.001, 1, 0.001))
    shift: float = Hparam(0.0, search=Normal(0, 1))
    scale: float = Hparam(1.0, search=LogNormal(0, 1))
    stepped: float = Hparam(0.0, search=QNormal(0, 2, 0.5))
    raised: float = Hparam(1.0, search=QLogNormal(1, 1, 1))
    units: int = Hparam(8, search=IntUniform(1, 1000, log=True))
    kind: Literal["adam", "sgd"] = Hparam("adam", search=Choice("adam", "sgd", weights=(1, 3)))
    momentum: float | None = Hparam(None, search=Conditional(Uniform(0, 0.99), {"kind": "sgd"}))
    level: str = Hparam("low", search=Ordinal("low", "middle", "high"))
    layers: list[int] = Hparam(default_factory=list, search=Choice([1, 2], [3], []))
    bias: bool = Hparam(True, search=Choice(True, False))
    limit: float | None = Hparam(None, search=Choice(None, 1e-05, 1.0))
    fixed: str = Hparam("$HOME", search=Constant("$HOME"))


class Hostile(Hparams):
    """Texts that a shell, Katib, the kubelet, YAML or a reader of metrics could change; all options are drawn."""

    quotes: str = Hparam("it's", search=Choice("it's", 'say "hi"', "'\"'\"'", "\\"))
    variables: str = Hparam("$HOME", search=Choice("$HOME", "$(date)", "$(E2E_SECONDS)", "$$"))
    commands: str = Hparam("`id`", search=Choice("`id`", "a;b|c&d>e<f", "$((1+1))", "&& exit 7"))
    placeholders: str = Hparam(
        "{{x}}", search=Choice("{{x}}", "${trialParameters.lr}", "${trialParameters.quotes}", "%41")
    )
    blanks: str = Hparam("", search=Choice("", " a  b ", "a\tb", "a\nb"))
    options: str = Hparam("-rf", search=Choice("-rf", "--quotes=x", "--", "="))
    names: str = Hparam("null", search=Choice("loss=99", "kftune:text:%41", "null", '"quoted"'))
    shells: str = Hparam("*", search=Choice("*", "~", "#x", "!x"))
    unusual: str = Hparam("ä✓😀", search=Choice("ä✓😀", "a\u2028b", "a\x07b", "a\u00a0b\r\n"))
    lists: list[str] = Hparam(default_factory=list, search=Choice(["a b", "it's"], [], ["$HOME"], ["\n", ""]))
    tables: dict[str, Any] = Hparam(
        default_factory=dict, search=Choice({}, {"a b": None}, {"'": ["$(date)"]}, {"n": 1e-05})
    )
    missing: str | None = Hparam(None, search=Choice(None, "null", "", "true"))
    note: str = ""


class Reduced(Hparams):
    """Which numbers the trial prints."""

    numbers: int = Hparam(0, search=IntUniform(0, 9999))


class Behaving(Hparams):
    """What becomes of the trial."""

    how: Literal["killed", "good", "exits", "silent", "nan", "reports_nan", "memory", "late"] = Hparam(
        "good", search=Choice("killed", "good", "exits", "silent", "nan", "reports_nan", "memory", "late")
    )
    """Sobol's first seven points draw all but the first one."""


def plain(given: Plain) -> None:
    for step in range(3):
        loss = (given.lr - 0.05) ** 2 + given.units / 1000 + given.batch / 10**step
        report({"loss": loss, "val/acc": 1 / (1 + loss)}, step=step)


def encoded(given: Encoded) -> None:
    report(loss=math.log10(given.inner.rate) ** 2 + given.decay + given.shift + given.units / 1000)


def hostile(given: Hostile) -> None:
    report(loss=len(json.dumps(given.to_dict())))


def reduced(given: Reduced) -> None:
    """Prints numbers in many forms: equal ones, some that are no numbers, and lines with unordered times."""
    rng = random.Random(given.numbers)
    times = rng.sample(range(10_000), 12)
    for step in range(12):
        tokens = [
            f"{name}={_number(rng)}" for name in ("loss", "low", "val/high", "yolo:mAP_0.5") if rng.random() < 0.8
        ]
        sys.stdout.write(("\n" if rng.random() < 0.5 else " ").join(tokens) + "\n")
        sys.stdout.write(f"epoch {step}, val loss: {_number(rng)}\n")
        zone = timezone(timedelta(hours=rng.randrange(-3, 4)))
        moment = datetime.fromtimestamp(1_700_000_000 + times[step] / 8, UTC).astimezone(zone)
        sys.stdout.write(f"{moment.isoformat()} timed={_number(rng)} timed_low={_number(rng)}\n")
    # No two trials have the same extremes: which of two equal ones is the best is a matter of chance on a cluster.
    for step, loss in enumerate((2 + rng.random(), -2 - rng.random(), rng.random()), start=12):
        report(loss=loss, step=step)


def _number(rng: random.Random) -> str:
    value = rng.randrange(-8, 9) / 4
    forms = (repr(value), f"{value:+}", f"{value:e}", f"{value:g}", f"{value:.3f}", f"{value:+.1E}", "nan", "1,000")
    return rng.choice(forms)


def behaving(given: Behaving) -> None:
    if given.how in ("good", "memory", "killed", "exits", "late"):
        report(loss={"good": 1.0, "memory": 9.0}.get(given.how, 0.5))
    actions: dict[str, Callable[[], object]] = {
        "exits": lambda: sys.exit(3),
        "nan": lambda: sys.stdout.write("loss=nan\nloss=NaN\n"),
        "reports_nan": lambda: report(loss=math.nan),
        "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "memory": lambda: len(b"x" * MUCH_MEMORY),
        "late": lambda: time.sleep(600),
    }
    actions.get(given.how, lambda: None)()


class Stopped(Hparams):
    """A training whose result is known from its first report on."""

    lr: float = Hparam(0.5, search=Uniform(0, 1))


def stopped(given: Stopped) -> None:
    def checkpoint(*_: object) -> NoReturn:
        sys.stdout.write("checkpoint written\n")
        sys.stdout.flush()
        sys.exit(143)

    signal.signal(signal.SIGTERM, checkpoint)
    for epoch in range(1, 9):
        report(loss=1 / epoch + given.lr)
        time.sleep(0.7)


STUDIES: dict[str, tuple[type[Hparams], Callable[[Any], None]]] = {
    "plain": (Plain, plain),
    "encoded": (Encoded, encoded),
    "hostile": (Hostile, hostile),
    "reduced": (Reduced, reduced),
    "behaving": (Behaving, behaving),
    "stopped": (Stopped, stopped),
}


def tell(given: Hparams) -> None:
    """Prints the arguments, the values that the class makes of them, and the variables of the test.

    In hexadecimal, so that no reader of metrics finds anything in it.
    """
    variables = {name: text for name, text in os.environ.items() if name.startswith("E2E_TEXT")}
    told = {"argv": sys.argv[1:], "values": given.to_dict(), "env": variables}
    sys.stdout.write(f"given {json.dumps(told).encode().hex()}\n")
    sys.stdout.flush()


def main() -> NoReturn:
    made, train = STUDIES[sys.argv[1]]
    given = made.from_args([argument for argument in sys.argv[2:] if argument.startswith("--")])
    tell(given)
    # Katib's collector fails a trial that has ended before it looks.
    time.sleep(float(os.environ["E2E_SECONDS"]))
    train(given)
    sys.exit(0)


if __name__ == "__main__":
    main()
