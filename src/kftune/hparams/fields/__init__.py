"""The fields of hyperparameter classes: dotted names, texts on a command line, nested groups, checks of domains."""

from kftune.hparams.fields.entry import holder_of, pieces
from kftune.hparams.fields.groups import has_field_validators
from kftune.hparams.fields.kinds import kinds_of
from kftune.hparams.fields.leaf import Leaf
from kftune.hparams.fields.nested import put
from kftune.hparams.fields.table import check_condition
from kftune.hparams.fields.validators import checks_combinations, may_refuse

__all__ = [
    "Leaf",
    "check_condition",
    "checks_combinations",
    "has_field_validators",
    "holder_of",
    "kinds_of",
    "may_refuse",
    "pieces",
    "put",
]
