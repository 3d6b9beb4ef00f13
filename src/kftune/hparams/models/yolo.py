"""Hyperparameters of detectors that the program `yolo` of ultralytics trains; `kftune.training.yolo` starts it.

Names, types and defaults are those of ultralytics 8.4.190. Ultralytics is not a part of kftune, and kftune imports
nothing from it.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from kftune.domains import Choice
from kftune.hparams import Hparam, Hparams

_CHOSEN_BY_AUTO = ("lr0", "momentum")


class YoloHparams(Hparams):
    """A detector of ultralytics: what its command `yolo detect train` takes."""

    network: str = Hparam("yolo11n.yaml")
    """The argument model of yolo: a network such as yolo11n.yaml, or a file with weights such as yolo11n.pt."""
    pretrained: bool = Hparam(True)
    """Whether weights in network are used, if it has any."""
    epochs: int = Hparam(100, ge=1)
    """Epochs. Passes over the pictures to train on."""
    time: float | None = Hparam(None, gt=0)
    """Hours after which training ends, whatever epochs says; null for no such limit."""
    patience: int = Hparam(100, ge=0)
    """Epochs without a better result after which training ends; 0 trains all epochs."""
    batch: int = Hparam(16, ge=-1, search=Choice(2, 4, 8, 16, 32))
    """Pictures per step; -1 takes what fits into the memory of the GPU."""
    imgsz: int = Hparam(640, ge=32)
    """Pixels. Height and width to which pictures are scaled."""
    fraction: float = Hparam(1.0, gt=0, le=1)
    """Share of the pictures to train on that is used."""
    cache: Literal["ram", "disk"] | None = Hparam(None)
    """Where decoded pictures are kept; null decodes them in each epoch."""
    workers: int = Hparam(8, ge=0)
    """Processes that load pictures."""
    device: str | None = Hparam(None)
    """cpu, 0 or 0,1 for GPUs; null is the device in KFTUNE_DEVICE, or the choice of yolo."""
    amp: bool = Hparam(True)
    """Whether to compute in 16 bits where this loses little, on a GPU."""
    compile: bool = Hparam(False)
    """Whether torch.compile compiles the network."""
    single_cls: bool = Hparam(False)
    """Whether all classes are taken for one."""
    rect: bool = Hparam(False)
    """Whether a batch has pictures of one shape, with little padding."""
    multi_scale: float = Hparam(0.0, ge=0, le=1)
    """How much imgsz varies between batches, as a share of it."""
    freeze: int | None = Hparam(None, ge=0)
    """Number of first layers with fixed weights."""
    save_period: int = Hparam(-1, ge=-1)
    """Epochs between further checkpoints, in addition to the last and the best; -1 for none."""
    plots: bool = Hparam(True)
    """Whether yolo draws curves and examples."""
    deterministic: bool = Hparam(True)
    """Whether only operations are used that repeat their results."""
    seed: int = Hparam(0, ge=0)
    """Seed of weights, order and augmentation."""
    resume: bool = Hparam(False)
    """Whether to continue after the last finished epoch in the output folder, if there is one."""

    optimizer: Literal["auto", "SGD", "MuSGD", "Adam", "Adamax", "AdamW", "NAdam", "RAdam", "RMSProp"] = Hparam("auto")
    """Optimizer; auto chooses it together with lr0 and momentum."""
    lr0: float = Hparam(0.01, gt=0, le=1)
    """Learning rate at the start."""
    lrf: float = Hparam(0.01, gt=0, le=1)
    """Learning rate at the end, as a share of lr0."""
    cos_lr: bool = Hparam(False)
    """Whether it falls along a cosine instead of a line."""
    momentum: float = Hparam(0.937, ge=0, le=1)
    """Momentum of SGD; beta1 of Adam and its relatives."""
    weight_decay: float = Hparam(5e-4, ge=0, le=1)
    """L2 penalty."""
    warmup_epochs: float = Hparam(3.0, ge=0)
    """Epochs of warm-up, also parts of one."""
    warmup_momentum: float = Hparam(0.8, ge=0, le=1)
    """Momentum at the start of the warm-up."""
    warmup_bias_lr: float = Hparam(0.1, ge=0, le=1)
    """Learning rate of biases at the start of the warm-up."""
    nbs: int = Hparam(64, ge=1)
    """Batch size for which weight_decay is meant; smaller batches are added up to about this one."""

    box: float = Hparam(7.5, ge=0)
    """Weight of the loss of boxes."""
    cls: float = Hparam(0.5, ge=0)
    """Weight of the loss of classes."""
    dfl: float = Hparam(1.5, ge=0)
    """Weight of the loss of the distribution of edges."""
    cls_pw: float = Hparam(0.0, ge=0, le=1)
    """How much rare classes count more: 0 not at all, 1 in inverse proportion."""

    hsv_h: float = Hparam(0.015, ge=0, le=1)
    """Share by which the hue varies."""
    hsv_s: float = Hparam(0.7, ge=0, le=1)
    """Share by which the saturation varies."""
    hsv_v: float = Hparam(0.4, ge=0, le=1)
    """Share by which the brightness varies."""
    degrees: float = Hparam(0.0, ge=0, le=180)
    """Degrees by which pictures are turned at most."""
    translate: float = Hparam(0.1, ge=0, le=1)
    """Share of the size by which pictures are moved at most."""
    scale: float = Hparam(0.5, ge=0)
    """Share by which their size varies."""
    shear: float = Hparam(0.0, ge=-180, le=180)
    """Degrees by which they are slanted at most."""
    perspective: float = Hparam(0.0, ge=0, le=0.001)
    """Strength of a change of perspective."""
    flipud: float = Hparam(0.0, ge=0, le=1)
    """Probability that a picture is turned upside down."""
    fliplr: float = Hparam(0.5, ge=0, le=1)
    """Probability that left and right are exchanged; 0 where this changes the meaning, as for digits."""
    bgr: float = Hparam(0.0, ge=0, le=1)
    """Probability that red and blue are exchanged."""
    mosaic: float = Hparam(1.0, ge=0, le=1)
    """Probability that four pictures become one."""
    close_mosaic: int = Hparam(10, ge=0)
    """Last epochs without such pictures; 0 has them to the end."""
    mixup: float = Hparam(0.0, ge=0, le=1)
    """Probability that two pictures lie over each other."""
    cutmix: float = Hparam(0.0, ge=0, le=1)
    """Probability that a part of a picture is replaced with one of another."""

    iou: float = Hparam(0.7, ge=0, le=1)
    """Overlap (IoU) with a better box above which validation drops a box."""
    max_det: int = Hparam(300, ge=1)
    """Boxes per picture at most."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.batch == 0:
            raise ValueError("batch must be at least 1, or -1 for what fits, but is 0")
        ignored = [name for name in _CHOSEN_BY_AUTO if getattr(self, name) != type(self).model_fields[name].default]
        if self.optimizer == "auto" and ignored:
            raise ValueError(
                f"optimizer=auto chooses lr0 and momentum itself and ignores {ignored[0]}={getattr(self, ignored[0])}; "
                f"name an optimizer such as SGD"
            )
        return self
