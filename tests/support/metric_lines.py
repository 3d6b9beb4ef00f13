"""Lines that are hard to parse for a reader of metrics."""

from __future__ import annotations

from hypothesis import strategies as st

# Parts of lines that are hard to parse.
PIECES = st.sampled_from(
    [
        *(
            "loss",
            "val_loss",
            "acc",
            "val/loss",
            "step",
            "=",
            "==",
            ":",
            ",",
            ";",
            "%",
            "|",
            "(",
            ")",
            '"',
            "é",
            "損失",
        ),
        *("0.5", "-1", "+.5", "5.", "1e-05", "1E5", "1e", "nan", "inf", "0x10", "1_000", "1,5", "1e400", "٣", "-", "."),
        *("loss=0.5", "val_loss=0.25", "acc=nan", "step=3", "loss=", "x=loss=1", "loss=1=2"),
        *(" ", "  ", "\t", "\r", "\f", "\v", "\0", "\x1b[32m", "\x85", "\xa0", "\u2003", "\u2028", "\u3000", "\ufeff"),
    ]
)
HOSTILE_LINES = st.lists(PIECES, max_size=14).map("".join)
