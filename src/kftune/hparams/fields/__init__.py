"""The fields of hyperparameter classes: dotted names, texts on a command line, nested groups, checks of domains."""

from kftune.hparams.fields.entry import holder_of, pieces
from kftune.hparams.fields.groups import has_field_validators
from kftune.hparams.fields.leaf import Leaf
from kftune.hparams.fields.nested import put
from kftune.hparams.fields.table import check_condition

__all__ = ["Leaf", "check_condition", "has_field_validators", "holder_of", "pieces", "put"]
