"""Imports what training imports later, with torch, before a warm worker forks the processes of trials."""

from __future__ import annotations

from kftune.training.importing import torch_import

with torch_import():
    from kftune.training import lstm, ocr

__all__ = ["lstm", "ocr"]
