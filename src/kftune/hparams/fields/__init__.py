"""The fields of hyperparameter classes: dotted names, texts on a command line, nested groups, checks of domains."""

from kftune.hparams.fields.form import in_order, to_json
from kftune.hparams.fields.groups import Group, completed, extras_of, groups_of, has_field_validators
from kftune.hparams.fields.leaf import Leaf
from kftune.hparams.fields.nested import get, put, remove
from kftune.hparams.fields.options import TEXTS, add_options, flags_of, help_text, texts_by_name
from kftune.hparams.fields.overrides import apply_override, place_of, refuse_name
from kftune.hparams.fields.table import check_condition, leaves_of

__all__ = [
    "TEXTS",
    "Group",
    "Leaf",
    "add_options",
    "apply_override",
    "check_condition",
    "completed",
    "extras_of",
    "flags_of",
    "get",
    "groups_of",
    "has_field_validators",
    "help_text",
    "in_order",
    "leaves_of",
    "place_of",
    "put",
    "refuse_name",
    "remove",
    "texts_by_name",
    "to_json",
]
