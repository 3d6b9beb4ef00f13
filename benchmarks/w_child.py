"""A trial that imports torch and computes one thing: `python -m benchmarks.w_child`."""

from __future__ import annotations

import torch

if __name__ == "__main__":
    torch.manual_seed(0)
    print(f"loss={torch.nn.Linear(10, 10)(torch.ones(1, 10)).sum().item():.6f}")
