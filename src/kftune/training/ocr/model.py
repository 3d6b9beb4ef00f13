"""The models: an encoder that turns a picture into columns of features, and what reads these columns.

Shape suffixes: B pictures, H rows, W columns, C channels, U features of a column, L tokens, V vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from kftune.errors import ModelCreationError
from kftune.hparams.models.ocr import OcrHparams
from kftune.training.digits.alphabet import END, START, decode, decode_ctc
from kftune.training.digits.drawing import HEIGHT
from kftune.training.ocr.refusals import raised_as
from kftune.training.ocr.sizes import Size, size_of


class Encoder(nn.Module):
    """Three convolutions, which divide the rows by eight and the columns by four, and two along the columns."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        first, second, third = size.channels
        self.picture = nn.Sequential(
            *_convolution(1, first, 5, (2, 2)),
            *_convolution(first, second, 3, (2, 2)),
            *_convolution(second, third, 3, (2, 1)),
        )
        self.columns = nn.Sequential(
            # Normalized columns let attention find the digits after four epochs; without them it takes nine.
            *_normalized(nn.Conv1d(third * HEIGHT // 8, size.hidden, kernel_size=1, bias=False)),
            *_normalized(nn.Conv1d(size.hidden, size.hidden, kernel_size=3, padding=1, bias=False)),
            nn.Dropout(size.dropout),
        )

    def forward(self, ink_BHW: Tensor) -> Tensor:
        """Returns the features of each column.

        Args:
            ink_BHW: Pictures; 0 is paper, 1 is ink.

        Returns:
            B x W/4 x U.
        """
        found_BCHW = self.picture(ink_BHW[:, None])
        columns: Tensor = self.columns(found_BCHW.flatten(1, 2))
        return columns.transpose(1, 2)


def _convolution(before: int, after: int, kernel: int, stride: tuple[int, int]) -> list[nn.Module]:
    # Strides, because on a CPU pooling takes longer than the convolutions.
    return _normalized(nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2, bias=False))


def _normalized(convolution: nn.Conv1d | nn.Conv2d) -> list[nn.Module]:
    # The normalization has a shift of its own, so the convolution needs none.
    kind = nn.BatchNorm1d if isinstance(convolution, nn.Conv1d) else nn.BatchNorm2d
    return [convolution, kind(convolution.out_channels), nn.ReLU()]


class _Memory(NamedTuple):
    """What the decoder remembers from one token to the next."""

    state_BU: Tensor
    seen_BU: Tensor
    looked_B2W: Tensor


class AttentionReader(nn.Module):
    """Writes one token after the other; for each it looks at the columns anew, knowing where it looked before.

    Source: Chorowski et al., "Attention-based models for speech recognition" (2015): location-aware attention.
    """

    def __init__(self, size: Size, vocab_size: int, max_length: int) -> None:
        super().__init__()
        self.max_length = max_length
        self.encoder = Encoder(size)
        # It reaches from one digit to the next where they are large and far apart: ten columns are 40 pixels.
        self.look = nn.Conv1d(2, size.hidden, kernel_size=21, padding=10, bias=False)
        self.embedding = nn.Embedding(vocab_size, size.hidden)
        self.cell = nn.GRUCell(2 * size.hidden, size.hidden)
        self.query = nn.Linear(size.hidden, size.hidden)
        self.key = nn.Linear(size.hidden, size.hidden, bias=False)
        self.score = nn.Linear(size.hidden, 1, bias=False)
        self.head = nn.Linear(2 * size.hidden, vocab_size)

    def forward(self, ink_BHW: Tensor, tokens_BL: Tensor) -> Tensor:
        """Returns what the model expects at each place, given the right tokens before it.

        Args:
            ink_BHW: Pictures.
            tokens_BL: The right tokens, with END, filled up with PAD.

        Returns:
            Logits, B x L x V.
        """
        columns = self.encoder(ink_BHW)
        keys = self.key(columns)
        before_BL = torch.cat([tokens_BL.new_full((len(tokens_BL), 1), START), tokens_BL[:, :-1]], dim=1)
        memory = self._start(columns)
        logits = []
        for token_BU in self.embedding(before_BL).unbind(dim=1):
            logits_BV, memory = self._write(token_BU, memory, columns, keys)
            logits.append(logits_BV)
        return torch.stack(logits, dim=1)

    def read(self, ink_BHW: Tensor) -> list[str]:
        """Returns the number in each picture, the most likely token at each place."""
        return self.read_looking(ink_BHW)[0]

    def read_looking(self, ink_BHW: Tensor) -> tuple[list[str], Tensor]:
        """Returns the number in each picture, and where the decoder looked for each token.

        Args:
            ink_BHW: Pictures; 0 is paper, 1 is ink.

        Returns:
            The numbers; and B x L x W/4, of which the columns for one token add up to 1.
        """
        columns = self.encoder(ink_BHW)
        keys = self.key(columns)
        memory = self._start(columns)
        token_B = torch.full((len(ink_BHW),), START, device=ink_BHW.device)
        written, looked = [], []
        ended_B = torch.zeros_like(token_B, dtype=torch.bool)
        for _ in range(self.max_length):
            logits_BV, memory = self._write(self.embedding(token_B), memory, columns, keys)
            token_B = logits_BV.argmax(dim=1)
            written.append(token_B)
            looked.append(memory.looked_B2W[:, 0])
            ended_B |= token_B == END
            if ended_B.all():
                break
        return [decode(tokens) for tokens in torch.stack(written, dim=1).tolist()], torch.stack(looked, dim=1)

    def texts(self, logits_BLV: Tensor) -> list[str]:
        """Returns the numbers that outputs of `forward` mean."""
        return [decode(tokens) for tokens in logits_BLV.argmax(dim=2).tolist()]

    def _start(self, columns_BWU: Tensor) -> _Memory:
        state_BU = torch.zeros_like(columns_BWU[:, 0])
        looked_B2W = columns_BWU.new_zeros(len(columns_BWU), 2, columns_BWU.shape[1])
        return _Memory(state_BU, state_BU, looked_B2W)

    def _write(
        self, token_BU: Tensor, memory: _Memory, columns_BWU: Tensor, keys_BWU: Tensor
    ) -> tuple[Tensor, _Memory]:
        """Returns the logits of the next token, and what to remember for the one after it."""
        state_BU = self.cell(torch.cat([token_BU, memory.seen_BU], dim=1), memory.state_BU)
        places_BWU = self.look(memory.looked_B2W).transpose(1, 2)
        fits_BW = self.score(torch.tanh(keys_BWU + places_BWU + self.query(state_BU)[:, None]))[..., 0]
        weight_BW = fits_BW.softmax(dim=1)
        seen_BU = (weight_BW[:, None] @ columns_BWU)[:, 0]
        # Where it looked last, and where it looked at all.
        looked_B2W = torch.stack([weight_BW, memory.looked_B2W[:, 1] + weight_BW], dim=1)
        return self.head(torch.cat([state_BU, seen_BU], dim=1)), _Memory(state_BU, seen_BU, looked_B2W)


class CtcReader(nn.Module):
    """Names a token, or none, for each column."""

    def __init__(self, size: Size, vocab_size: int) -> None:
        super().__init__()
        self.encoder = Encoder(size)
        self.head = nn.Linear(size.hidden, vocab_size)

    def forward(self, ink_BHW: Tensor, tokens_BL: Tensor) -> Tensor:
        """Returns what the model expects in each column: logits, B x W/4 x V.

        Args:
            ink_BHW: Pictures.
            tokens_BL: Not used; the same call serves every model.
        """
        logits: Tensor = self.head(self.encoder(ink_BHW))
        return logits

    def read(self, ink_BHW: Tensor) -> list[str]:
        """Returns the number in each picture."""
        return self.texts(self.head(self.encoder(ink_BHW)))

    def texts(self, logits_BWV: Tensor) -> list[str]:
        """Returns the numbers that outputs of `forward` mean."""
        return [decode_ctc(tokens) for tokens in logits_BWV.argmax(dim=2).tolist()]


Reader = AttentionReader | CtcReader


@raised_as(ModelCreationError)
def create_model_from_config(config: OcrHparams, size: Size | None = None) -> Reader:
    """Returns the model with its first weights.

    Args:
        config: Model, vocabulary and longest number.
        size: Its size; None takes that of `config`.

    Raises:
        ModelCreationError: The file of sizes is invalid.
    """
    size = size or size_of(config)
    if config.model_name == "ctc":
        return CtcReader(size, config.vocab_size)
    return AttentionReader(size, config.vocab_size, config.max_sequence_length)
