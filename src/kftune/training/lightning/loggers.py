"""Where metrics go besides the metric lines: TensorBoard's files, Weights & Biases, MLflow. All work offline."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger, MLFlowLogger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from kftune.errors import MissingExtraError
from kftune.hparams.models.training import TrainerHparams
from kftune.training.event_file import EventFile


class TensorBoardFiles(Logger):
    """A logger of Lightning that writes files for TensorBoard, which need not be installed.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._file = EventFile(folder)

    @property
    def name(self) -> str:
        """The name of the logger."""
        return "tensorboard"

    @property
    def version(self) -> str:
        """Nothing: each training has a folder of its own."""
        return ""

    @property
    def save_dir(self) -> str:
        """The folder."""
        return str(self._folder)

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Does nothing: hparams.json in the output folder has them.

        Args:
            params: The hyperparameters.
            *args: Nothing.
            **kwargs: Nothing.
        """

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Writes metrics.

        Args:
            metrics: Name -> value.
            step: The step that they belong to.
        """
        self._file.add(step or 0, metrics)


def loggers_of(hparams: TrainerHparams, folder: Path) -> list[Logger]:
    """Returns Lightning's loggers; the console needs none.

    Args:
        hparams: Which ones, and the name of the experiment.
        folder: The output folder.

    Raises:
        MissingExtraError: The package of one is not installed.
    """
    makers = {"tensorboard": _tensorboard, "wandb": _wandb, "mlflow": _mlflow}
    return [makers[name](hparams.experiment, folder) for name in dict.fromkeys(hparams.loggers) if name in makers]


def _tensorboard(_experiment: str, folder: Path) -> Logger:
    return TensorBoardFiles(folder / "tensorboard")


def _wandb(experiment: str, folder: Path) -> Logger:
    """Returns a logger that writes into the folder, and sends it only where there is a key or W&B's own setting."""
    online = bool(os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_MODE"))
    _check_installed("wandb")
    folder.mkdir(parents=True, exist_ok=True)
    return WandbLogger(project=experiment, save_dir=str(folder), offline=not online)


def _mlflow(experiment: str, folder: Path) -> Logger:
    """Returns a logger that writes a database into the folder, or to the server of MLFLOW_TRACKING_URI."""
    _check_installed("mlflow")
    server = os.environ.get("MLFLOW_TRACKING_URI")
    folder.mkdir(parents=True, exist_ok=True)
    # MLflow 3 refuses stores that are folders of files.
    place = server or f"sqlite:///{folder.resolve()}/mlflow.db"
    artifacts = None if server else (folder.resolve() / "mlflow").as_uri()
    return MLFlowLogger(experiment_name=experiment, tracking_uri=place, artifact_location=artifacts)


def _check_installed(package: str) -> None:
    """Refuses a logger before training; its extra has the name of the package."""
    if find_spec(package) is None:
        raise MissingExtraError(package, package)
