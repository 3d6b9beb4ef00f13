"""Config files that kftune writes: the blueprint of a class, and values with where they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hparams_examples import Everything, Hostile
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from kftune import Hparam, Hparams, LogUniform, yaml_text
from kftune.errors import HparamsError
from kftune.hparams.as_config import blueprint, read_line, with_origins
from kftune.hparams.models.training import ModelHparams, RunHparams
from kftune.hparams.registry import HPARAMS_REGISTRY, load_hparams


class Optimizer(Hparams):
    """How the weights
    are updated.

    More of it.
    """

    name: Literal["adam", "sgd"] = "adam"
    lr: float = Hparam(0.1, gt=0, lt=1, search=LogUniform(1e-3, 0.5))
    """Step size."""
    kwargs: dict[str, Any] = Hparam(default_factory=dict)


class Warmup(Hparams):
    """Begins slowly."""

    epochs: int
    share: float = 0.1


class Toy(Hparams):
    """A toy."""

    units: int = Hparam(64, ge=1)
    """Units. Width."""
    limit: Annotated[int, Field(ge=1)] | None = None
    layers: list[int] = [64, 32]  # noqa: RUF012  # pydantic copies it
    optimizer: Optimizer = Optimizer(lr=0.2)
    """The optimizer's own settings."""
    warmup: Warmup | None = None
    """How it begins; null at once."""
    final: str = "a: b # c"


class Needy(Hparams):
    """Has a field without a default."""

    data: str
    """Path of the data."""
    units: int = 3


def read(hparams: type[Hparams], text: str, folder: Path, *argv: str) -> Hparams:
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    return hparams.from_args(["--config", str(folder / "config.yaml"), *argv])


REGISTERED = [load_hparams(name) for name in HPARAMS_REGISTRY]


@pytest.mark.parametrize("hparams", [*REGISTERED, RunHparams, ModelHparams, Everything, Hostile, Toy, Optimizer])
def test_a_blueprint_gives_the_defaults(hparams: type[Hparams], tmp_path: Path):
    text = blueprint(hparams)
    assert read(hparams, text, tmp_path) == hparams()
    assert hparams.from_yaml(tmp_path / "config.yaml") == hparams()


@pytest.mark.parametrize("hparams", [*REGISTERED, RunHparams, Toy])
def test_a_blueprint_has_every_field_with_its_description(hparams: type[Hparams]):
    text = " ".join(line.strip(" #") for line in blueprint(hparams).splitlines())
    for leaf in hparams.leaves().values():
        assert f"{leaf.path[-1]}:" in text
        assert " ".join(leaf.description.split()) in text


def test_a_blueprint_says_types_limits_and_meaning():
    assert (
        blueprint(Toy)
        == """\
# A toy.

# Units. Width. (int; >= 1)
units: 64
# (int or null; >= 1)
limit: null
# (list of int)
layers:
- 64
- 32

# The optimizer's own settings.
optimizer:
  # (one of adam, sgd)
  name: adam
  # Step size. (float; > 0; < 1; searched {"loguniform": [0.001, 0.5]})
  lr: 0.2
  # (mapping)
  kwargs: {}

# How it begins; null at once. (null without this group)
# warmup:
#   # (int; required)
#   # epochs:
#   # (float)
#   share: 0.1

# (str)
final: "a: b # c"
"""
    )


def test_a_group_that_is_off_becomes_one_without_its_comment_signs(tmp_path: Path):
    text = blueprint(Toy)
    begin, end = text.index("# warmup:"), text.index("# (str)\nfinal")
    group = text[begin:end].replace("\n# ", "\n").replace("# warmup", "warmup").replace("# epochs:", "epochs: 3")
    assert read(Toy, text[:begin] + group + text[end:], tmp_path) == Toy(warmup=Warmup(epochs=3))


def test_a_field_without_a_default_is_asked_for(tmp_path: Path):
    with pytest.raises(HparamsError, match="data"):
        read(Needy, blueprint(Needy), tmp_path)
    assert read(Needy, blueprint(Needy), tmp_path, "data=a") == Needy(data="a")


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(texts=st.lists(TEXTS, min_size=2, max_size=4), entries=st.dictionaries(TEXTS, TEXTS, max_size=2))
def test_values_with_their_origins_are_the_same_values(texts, entries):
    values = {"list": texts, "group": {"mapping": entries, "text": texts[0]}, "nothing": None, "number": 1e-5}
    assert yaml_text.load(with_origins(values, lambda path: "a.yaml:3")) == values


def test_each_value_says_where_it_comes_from(tmp_path: Path):
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("units: 3\noptimizer:\n  kwargs: {momentum: 0.5}\n  name: sgd\n")
    second.write_text("\noptimizer.lr: 0.3\nunits: 5\n")
    argv = ["--config", str(first), f"--config={second}", "optimizer.kwargs.eps=1e-8", "--final=x"]
    hparams, origin = read_line(Toy, argv, "config")
    lines = with_origins(hparams.to_dict(), origin).replace(f"{tmp_path}/", "").splitlines()
    assert [line.strip() for line in lines if "default" not in line and "#" in line] == [
        "units: 5  # b.yaml:3",
        "name: sgd  # a.yaml:4",
        "lr: 0.3  # b.yaml:2",
        "momentum: 0.5  # a.yaml:3",
        "eps: 1.0e-08  # command line",
        "final: x  # command line",
    ]
    assert "limit: null  # default" in lines
    assert hparams == Toy.from_args(argv)


ROOTS = {
    "optimizer.kwargs.lr=0.1": "model.optimizer.kwargs.lr",
    "+optimizer.kwargs.lr=0.1": "model.optimizer.kwargs.lr",
    "~optimizer.kwargs.lr": "model.optimizer.kwargs.lr",
    "--optimizer.kwargs.lr=0.1": "model.optimizer.kwargs.lr",
    "model_config.optimizer.kwargs.lr=0.1": "model.optimizer.kwargs.lr",
    "optimizer.module_name=torch.optim.SGD": "model.optimizer.module_name",
    "early_stopping.patience=3": "model.early_stopping.patience",
    "batch_size=3": "data.batch_size",
}


@pytest.mark.parametrize(("override", "name"), ROOTS.items(), ids=ROOTS)
def test_a_name_without_its_group_is_answered_with_the_whole_name(override: str, name: str):
    with pytest.raises(HparamsError, match=f"did you mean '{name}'\\?"):
        RunHparams.from_args([override])
