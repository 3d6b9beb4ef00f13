"""Records `digits.csv`: a perceptron on scikit-learn's 8x8 images of digits. About 10 minutes on two cores.

python -m benchmarks.tables.record_digits   after `make bench-peers`, which installs scikit-learn
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from benchmarks.measure import output
from benchmarks.stacks import DIGITS
from benchmarks.tables.record import EPOCHS, Point, record

VALUES = {
    "optimizer": ["sgd", "momentum", "adam"],
    "activation": ["relu", "tanh"],
    "layers": range(1, 3),
    "units_log2": range(3, 7),
    "batch_size_log2": range(4, 7),
    "learning_rate_step": range(7),  # of a factor 4, from 1e-4
}
TRAINED_ON = 1200

# scikit-learn is in its own environment and torch in this one, so the images pass as JSON.
_READ = """
import json, sklearn.datasets
print(json.dumps([each.tolist() for each in sklearn.datasets.load_digits(return_X_y=True)]))
"""


@cache
def images() -> tuple[Any, Any]:
    """Returns the images in random order, scaled to 0..1, and their digits."""
    import torch

    pixels, digits = json.loads(output([DIGITS.python, "-c", _READ]))
    order = torch.randperm(len(digits), generator=torch.Generator().manual_seed(0))
    return torch.tensor(pixels)[order] / 16, torch.tensor(digits)[order]


def train(point: Point) -> Sequence[float]:
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(0)
    units, layers = 2 ** int(point["units_log2"]), int(point["layers"])
    activation = {"relu": nn.ReLU, "tanh": nn.Tanh}[point["activation"]]
    sizes = [64, *[units] * layers]
    hidden = [part for size in pairwise(sizes) for part in (nn.Linear(*size), activation())]
    model = nn.Sequential(*hidden, nn.Linear(units, 10))
    rate = 1e-4 * 4 ** int(point["learning_rate_step"])
    momentum = 0.9 if point["optimizer"] == "momentum" else 0.0
    optimizer: torch.optim.Optimizer = (
        torch.optim.Adam(model.parameters(), lr=rate)
        if point["optimizer"] == "adam"
        else torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum)
    )
    pixels, digits = images()
    losses = []
    for _ in range(EPOCHS):
        for batch in torch.randperm(TRAINED_ON).split(2 ** int(point["batch_size_log2"])):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(pixels[batch]), digits[batch]).backward()
            optimizer.step()
        with torch.inference_mode():
            losses.append(nn.functional.cross_entropy(model(pixels[TRAINED_ON:]), digits[TRAINED_ON:]).item())
    return losses


if __name__ == "__main__":
    record("digits", VALUES, train)
