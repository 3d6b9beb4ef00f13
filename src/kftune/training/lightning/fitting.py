"""`fit` trains a model, and `evaluate` measures it on the data for the test."""

from __future__ import annotations

import gc
import logging
import os
import sys
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from pickle import UnpicklingError  # only the error; nothing is unpickled here
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException

from kftune import outputs
from kftune.errors import HparamsError, UsageError
from kftune.hparams.models.training import TrainerHparams
from kftune.metrics import report
from kftune.training.lightning.averages import Averages
from kftune.training.lightning.data import Data, seed_all
from kftune.training.lightning.epochs import Epochs, say
from kftune.training.lightning.fallback import Effort
from kftune.training.lightning.keeping import Keeper, Names, Stopping
from kftune.training.lightning.loggers import loggers_of
from kftune.training.lightning.model import STAGES, Model
from kftune.training.lightning.output import LAST, FitResult, Run
from kftune.training.lightning.script_errors import ends_scripts_with_one_line
from kftune.training.lightning.stopping import Stopped, StopRequest
from kftune.training.memory import memory_problem
from kftune.training.process import keep_threads_in_quota

# Lightning's hints that this module's own settings answer.
_HINTS = (
    ".*does not have many workers.*",
    ".*lower value for log_every_n_steps.*",
    ".*exists and is not empty.*",
    ".*but have no `val_dataloader`.*",
    r".*isinstance\(treespec, LeafSpec\).*",  # torch's, about Lightning's own code
)
_LOGGERS = ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "lightning.fabric")


@ends_scripts_with_one_line()
def fit(
    model: Model[Any],
    data: Any,
    trainer: TrainerHparams | Mapping[str, Any] | None = None,
    *,
    output: str | Path | None = None,
    resume: str | Path | Literal["auto"] | None = "auto",
    callbacks: Sequence[pl.Callback] = (),
    metrics: str | Path | None = None,
    executor_output: str | Path | None = None,
) -> FitResult:
    """Trains a model. It reports each epoch as a metric line, and keeps the best checkpoints and the last one.

    SIGTERM and SIGINT write a checkpoint and end the process with 143 or 130. The same command goes on from there.
    A HparamsError or UsageError that no code of a script catches ends it with one line, without a traceback.

    Args:
        model: The model.
        data: A `Data`, what `Data` takes as data sets, or a data module of Lightning.
        trainer: How it is trained: an instance, or a mapping that it is made from; None for the defaults.
        output: The output folder; None uses KFTUNE_OUTPUT_DIR, or ``output``.
        resume: A checkpoint to go on from; ``auto`` takes that of an interrupted training in the output folder, if it
            has the same hyperparameters; None begins anew.
        callbacks: More callbacks of Lightning.
        metrics: File to write: the metrics of the best epoch, as JSON.
        executor_output: File to write: the same in the form that KFP's page reads.

    Raises:
        HparamsError: A hyperparameter names something that does not exist, or that refuses its arguments.
        MetricError: A loss is no longer finite, or the model gives none.
        MissingExtraError: The package of a logger is not installed.
        UsageError: KFTUNE_DEVICE is invalid.
        OSError: The output folder cannot be written.
        SystemExit: A signal stopped the training.
    """
    if executor_output is not None and metrics is None:
        raise HparamsError(f"executor_output is about the artifact of metrics; give both, not {executor_output} alone")
    hparams = _trainer_hparams(trainer)
    module = _data_module(data)
    model.check()
    folder = Path(output or os.environ.get("KFTUNE_OUTPUT_DIR") or "output")
    run = Run.of(folder, model, module, hparams)
    start = run.interrupted() if resume == "auto" else None if resume is None else Path(resume)
    if start is not None and not start.is_file():
        raise HparamsError(f"resume must be a checkpoint, but there is no file {start}")
    run.anew = start is None
    keep_threads_in_quota()
    asked = StopRequest()
    with asked.listening(), _quiet(), _compiled(model, wanted=hparams.compile):
        try:
            lightning = _Fitting(model, module, hparams, run=run, asked=asked, callbacks=callbacks).run_all(start)
        except (Stopped, SIGTERMException):  # the latter is Lightning's, until the first batch
            say(f"stopped by signal {asked.number}; the same command goes on from {run.checkpoints}")
            sys.exit(128 + asked.number)
        result = run.finish(model, lightning, stopped_early=lightning.should_stop)
    if metrics is not None and lightning.is_global_zero:
        best = {name: value for name, value in result.best.items() if name != "epoch"}
        outputs.write_metrics(metrics, best, executor_output)
    return result


@ends_scripts_with_one_line()
def evaluate(
    model: Model[Any], data: Any, trainer: TrainerHparams | Mapping[str, Any] | None = None, *, checkpoint: str | Path
) -> dict[str, float]:
    """Measures a trained model on the data for the test, and reports it as a metric line.

    Args:
        model: The model.
        data: As `fit` takes it.
        trainer: How it runs: an instance, or a mapping that it is made from; None for the defaults.
        checkpoint: The checkpoint with its weights, such as `FitResult.best_checkpoint`.

    Returns:
        The metrics by name, such as ``test/loss``.

    Raises:
        HparamsError: There is no such checkpoint, or no data for a test.
    """
    hparams = _trainer_hparams(trainer)
    module = _data_module(data)
    if not Path(checkpoint).is_file():
        raise HparamsError(f"checkpoint must be a file that fit has written, but there is no {checkpoint}")
    if isinstance(module, Data) and module.test is None:
        raise HparamsError("a test needs data: give a third data set, or a third share in data.split")
    with _quiet():
        model.load_state_dict(_load(Path(checkpoint))["state_dict"])
        runner = pl.Trainer(**_place(hparams), precision=hparams.precision, logger=False, **_SILENT)
        found = runner.test(model, datamodule=module, verbose=False)
    values = dict(found[0])
    report(values)
    return values


_SILENT: dict[str, Any] = {
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


class _Fitting:
    """Trains, and tries again with less when memory runs out."""

    def __init__(
        self,
        model: Model[Any],
        data: pl.LightningDataModule,
        hparams: TrainerHparams,
        *,
        run: Run,
        asked: StopRequest,
        callbacks: Sequence[pl.Callback],
    ) -> None:
        self._model = model
        self._data = data
        self._hparams = hparams
        self._run = run
        self._asked = asked
        self._callbacks = callbacks
        self._place = _place(hparams)

    def run_all(self, start: Path | None) -> pl.Trainer:
        """Returns Lightning's trainer after the training.

        Args:
            start: The checkpoint to go on from; None begins anew.
        """
        fallback = self._hparams.fallback
        size = getattr(self._data, "batch_size", None)
        size = size if type(size) is int else None
        effort = Effort(size, self._hparams.accumulate_grad_batches, self._hparams.precision)
        if start is not None:
            effort = self._as_before(start, effort)
        else:
            say(f"{type(self._model).__name__}: {self._model.num_params} weights, output in {self._run.folder}")
        # Tries share a process, and several processes cannot agree on one after an error.
        tries_again = fallback.enabled and "strategy" not in self._place
        first = deepcopy(self._model.state_dict()) if tries_again else {}
        while True:
            trainer = self._trainer(effort)
            problem = self._try(trainer, start, tries_again=tries_again)
            if problem is None:
                return trainer
            smaller = effort.smaller(fallback, 1)
            if smaller is None:
                raise MemoryError(f"memory ran out, and trainer.fallback allows nothing smaller: {problem}")
            del trainer
            start = self._prepare(first)
            changes = smaller.changes(effort)
            self._run.fallbacks.append({"epoch": len(self._run.history) + 1, "problem": problem, **changes})
            shown = ", ".join(f"{name} {before} to {now}" for name, (before, now) in changes.items())
            say(f"memory ran out ({problem}); trying again with {shown}")
            effort = smaller

    def _try(self, trainer: pl.Trainer, start: Path | None, *, tries_again: bool) -> str | None:
        """Trains; returns what said that memory ran out, None if it did not."""
        try:
            trainer.fit(self._model, datamodule=self._data, ckpt_path=start, weights_only=True if start else None)
        except Exception as error:
            problem = memory_problem(error) if tries_again else None
            if problem is None:
                raise
            return problem
        return None

    def _prepare(self, first: Mapping[str, Any]) -> Path | None:
        """Frees memory, and returns the checkpoint to go on from; without one the model is as at the beginning."""
        self._model.zero_grad(set_to_none=True)
        self._model.cpu()
        self._model.averages = {stage: Averages() for stage in STAGES}
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        last = self._run.checkpoints / LAST
        if last.is_file() and self._run.history:
            return last
        self._run.history.clear()
        self._model.load_state_dict(first)
        return None

    def _as_before(self, start: Path, effort: Effort) -> Effort:
        """Returns what the interrupted training needed memory for, if it had less than the hyperparameters say."""
        kept = _load(start).get("kftune")
        say(f"going on from {start}")
        if kept is None or not kept["fallbacks"]:
            return effort
        self._run.fallbacks[:] = kept["fallbacks"]
        return Effort(**kept["effort"])

    def _trainer(self, effort: Effort) -> pl.Trainer:
        hparams, model = self._hparams, self._model
        if isinstance(self._data, Data):
            self._data.step_seed = hparams.seed
        if effort.batch_size is not None:
            self._data.batch_size = effort.batch_size  # type: ignore[attr-defined]
        seed_all(hparams.seed)
        stopping = model.thparams.early_stopping
        checkpoint = model.thparams.checkpoint
        return pl.Trainer(
            **self._place,
            **_SILENT,
            precision=effort.precision,  # type: ignore[arg-type]
            accumulate_grad_batches=effort.accumulate,
            max_epochs=hparams.max_epochs,
            gradient_clip_val=hparams.gradient_clip_val,
            gradient_clip_algorithm=hparams.gradient_clip_algorithm,
            deterministic=hparams.deterministic or None,
            limit_train_batches=hparams.limit_train_batches and hparams.limit_train_batches << effort.halvings,
            limit_val_batches=hparams.limit_val_batches and hparams.limit_val_batches << effort.halvings,
            use_distributed_sampler=not isinstance(self._data, Data),
            default_root_dir=self._run.folder,
            logger=loggers_of(hparams, self._run.folder),
            callbacks=[
                *self._callbacks,
                Names(model.thparams),
                *([Stopping(stopping)] if stopping else []),
                Keeper(checkpoint, self._run.checkpoints),
                Epochs(self._run, hparams, checkpoint, effort=effort, asked=self._asked),
            ],
        )


def _load(path: Path) -> dict[str, Any]:
    """Returns what is in a checkpoint.

    Raises:
        HparamsError: It is not a checkpoint of Lightning, or it needs code to load.
    """
    if not zipfile.is_zipfile(path):
        raise HparamsError(f"{path} must be a checkpoint of Lightning, but torch.save did not write it")
    try:
        found = torch.load(path, weights_only=True, map_location="cpu")
    except (UnpicklingError, RuntimeError, ValueError, EOFError) as error:
        problem = str(error).partition("\n")[0]
        raise HparamsError(f"{path} must be a checkpoint with weights and plain values, but: {problem}") from error
    if not isinstance(found, dict) or "state_dict" not in found:
        raise HparamsError(f"{path} must be a checkpoint of Lightning, but has no state_dict")
    return found


def _trainer_hparams(trainer: Any) -> TrainerHparams:
    if trainer is None:
        return TrainerHparams()
    if isinstance(trainer, pl.Trainer):
        raise HparamsError("fit takes TrainerHparams and makes Lightning's Trainer from it, but got a Trainer")
    return trainer if isinstance(trainer, TrainerHparams) else TrainerHparams.from_config(trainer)


def _data_module(data: Any) -> pl.LightningDataModule:
    return data if isinstance(data, pl.LightningDataModule) else Data(data)


def _place(hparams: TrainerHparams) -> dict[str, Any]:
    """Returns where Lightning trains: by KFTUNE_DEVICE and torchrun's variables, then by the hyperparameters."""
    accelerator: str = hparams.accelerator
    devices: int | list[int] = hparams.devices
    name = os.environ.get("KFTUNE_DEVICE", "")
    if name:
        kind, _, number = name.partition(":")
        if kind not in ("cpu", "cuda") or (number and not (kind == "cuda" and number.isdecimal())):
            raise UsageError(f"KFTUNE_DEVICE must be cpu, cuda or cuda:N, but is {name!r}")
        accelerator = "cpu" if kind == "cpu" else "gpu"
        devices = [int(number)] if number else devices
    here, everywhere = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), int(os.environ.get("WORLD_SIZE", "1"))
    if accelerator == "gpu" and not torch.cuda.is_available() and not torch.backends.mps.is_available():
        asked = f"KFTUNE_DEVICE is {name}" if name else "trainer.accelerator is gpu"
        raise UsageError(f"{asked}, but torch finds no GPU here; write {'cpu' if name else 'auto or cpu'} instead")
    if everywhere > 1:
        return {"accelerator": accelerator, "devices": here, "num_nodes": everywhere // here, "strategy": "ddp"}
    if hparams.devices > 1:
        raise UsageError(
            f"trainer.devices is {hparams.devices}, but only this process trains; start one for each device: "
            f"torchrun --nproc-per-node={hparams.devices} SCRIPT"
        )
    return {"accelerator": accelerator, "devices": devices}


@contextmanager
def _compiled(model: Model[Any], *, wanted: bool) -> Iterator[None]:
    """Compiles what the model does with its inputs, while it is trained."""
    if wanted:
        model.forward = torch.compile(model.forward)  # type: ignore[method-assign]
    try:
        yield
    finally:
        vars(model).pop("forward", None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps Lightning's advertisements and hints out of the log."""
    names = [name for package in _LOGGERS for name in (package, f"{package}.utilities.rank_zero")]
    loggers = [logging.getLogger(name) for name in names]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for hint in _HINTS:
                warnings.filterwarnings("ignore", hint)
            yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
