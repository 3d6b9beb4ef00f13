"""The flat table of a class's fields, made and checked once, when the class is created."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, get_args

from pydantic import BaseModel, Field, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from kftune.domains import Conditional, Domain, domain_from_spec
from kftune.errors import HparamsError, suggestion
from kftune.hparams.fields.form import form_of, is_optional, parts_of
from kftune.hparams.fields.groups import defaults_of, group_of
from kftune.hparams.fields.leaf import Leaf


def leaves_of(model: type[BaseModel]) -> dict[str, Leaf]:
    """Returns the flat table of a class's fields: dotted name -> leaf, in declaration order.

    Raises:
        HparamsError: A domain or a default does not fit its field, a condition is invalid, or a field is of a kind
            that is not allowed.
    """
    if not model.__pydantic_complete__:
        raise HparamsError(f"the types of the fields of {model.__name__} must be defined above it")
    if model.model_config.get("allow_inf_nan"):
        raise HparamsError(f"{model.__name__}: numbers are finite on every command line; remove allow_inf_nan")
    leaves = {leaf.name: leaf for leaf in _walk(model, (), None, (), (model,))}
    domains = {name: leaf.domain for name, leaf in leaves.items()}
    for leaf in leaves.values():
        if isinstance(leaf.domain, Conditional):
            check_condition(leaf.name, leaf.domain, leaves, domains)
        leaf.check_default()
    return leaves


def check_condition(
    name: str, condition: Conditional, leaves: Mapping[str, Leaf], domains: Mapping[str, Domain | None]
) -> None:
    """Checks that a condition names fields that are decided before `name`, and values that they can have.

    Args:
        name: The field with the condition.
        condition: The condition.
        leaves: All fields of the class.
        domains: The search domain of each field; None or missing for fields that are not searched.

    Raises:
        HparamsError: The condition is invalid.
    """
    order = list(leaves)
    for parent, options in condition.when:
        if parent not in leaves:
            known = suggestion(parent, leaves)
            raise HparamsError(f"a condition must name a hyperparameter, but {name} depends on {parent!r}; {known}")
        domain = domains.get(parent)
        if isinstance(domain, Conditional) and order.index(parent) >= order.index(name):
            raise HparamsError(
                f"a condition must name a hyperparameter that is decided first, but {name} depends on {parent}, "
                f"which is conditional too and is not declared above it"
            )
        for option in options:
            if not leaves[parent].takes(option) or (domain is not None and not domain.contains(option)):
                rule = f"search domain {domain!r}" if domain is not None else leaves[parent].declaration
                raise HparamsError(f"{name} depends on {parent}={option!r}, which is impossible: {parent} has {rule}")


def _walk(
    model: type[BaseModel],
    path: tuple[str, ...],
    defaults: object,
    when: tuple[Any, ...],
    above: tuple[type[BaseModel], ...],
) -> Iterator[Leaf]:
    if model.__pydantic_decorators__.model_serializers:
        raise HparamsError(f"{model.__name__} is written field by field; remove its model_serializer")
    values = defaults_of(model, defaults)
    for name, field in model.model_fields.items():
        full = (*path, name)
        _check_field(".".join(full), field)
        has_default, default = name in values, values.get(name)
        domain = _absolute(_declared_domain(field), path, model)
        group = group_of(field.annotation)
        if group in above:  # a group in itself would have infinitely many fields: it is one value
            group = None
        _check_kind(".".join(full), domain, is_group=group is not None)
        if group is None:
            _check_inner_domains(".".join(full), field.annotation, above)
        if group is None or is_optional(field.annotation):
            searched = None if group is not None else _with_conditions(domain, when)
            yield _leaf(full, field, (has_default, default), searched, is_group=group is not None)
        if group is not None:
            inner = (*when, *domain.when) if isinstance(domain, Conditional) else when
            found = _walk(group, full, default if has_default else None, inner, (*above, group))
            may_be_none = has_default and default is None
            yield from (replace(leaf, is_required=False) for leaf in found) if may_be_none else found


def _check_kind(name: str, domain: Domain | None, *, is_group: bool) -> None:
    marks_group = isinstance(domain, Conditional) and domain.domain is None
    if domain is not None and marks_group != is_group:
        rule = "a group has a condition, and its fields have the domains" if is_group else "a field needs a domain"
        raise HparamsError(f"field {name}: {rule}, but search is {domain!r}")


def _check_inner_domains(name: str, annotation: Any, above: Sequence[type[BaseModel]]) -> None:
    """Refuses domains in classes that are no group: a union of groups, or a list of them, is one value.

    Args:
        name: The field.
        annotation: Its type.
        above: The classes around it; a group in itself is one value too.
    """
    for inner in get_args(annotation):
        _check_inner_domains(name, inner, above)
    if not isinstance(annotation, type) or not issubclass(annotation, BaseModel) or annotation in above:
        return
    for key, field in annotation.model_fields.items():
        if _declared_domain(field) is not None:
            raise HparamsError(
                f"field {name}: it is one value, so the search domain of {annotation.__name__}.{key} would not be "
                f"searched; declare one group with the fields of all, with domains such as "
                f'Conditional(LogUniform(1e-4, 1e-1), {{"kind": "adam"}}), or remove the domain'
            )
        _check_inner_domains(name, field.annotation, (*above, annotation))


def _check_field(name: str, field: FieldInfo) -> None:
    if field.alias or field.validation_alias or field.serialization_alias:
        raise HparamsError(f"field {name}: a hyperparameter has one name everywhere; remove its alias")
    if field.exclude:
        raise HparamsError(f"field {name}: a hyperparameter is always written; remove exclude=True")
    if any(
        isinstance(part, type) and issubclass(part, (SecretStr, SecretBytes)) for part in parts_of(field.annotation)
    ):
        raise HparamsError(f"field {name}: a secret cannot be a hyperparameter; pass it through the step's secrets")


def _leaf(
    path: tuple[str, ...], field: FieldInfo, default: tuple[bool, Any], domain: Domain | None, *, is_group: bool
) -> Leaf:
    tag = field.discriminator
    leaf = Leaf(
        name=".".join(path),
        path=path,
        # pydantic moves the discriminator of a union from its annotation to the field.
        annotation=Annotated[field.annotation, Field(discriminator=tag)] if tag else field.annotation,
        form="json" if is_group else form_of(field.annotation),
        constraints=tuple(mark for mark in field.metadata if not isinstance(mark, Domain)),
        description=(field.description or "").strip(),
        domain=domain,
        has_default=default[0],
        is_required=not default[0] and field.is_required(),
        is_group=is_group,
    )
    if isinstance(default[1], Domain):
        raise HparamsError(f"field {leaf.name}: a domain is no default; write Hparam(DEFAULT, search={default[1]!r})")
    if leaf.has_default:
        leaf = replace(leaf, default=leaf.jsonable_default(default[1]))
    if not is_group:
        leaf.check_texts(default[1])
    if leaf.domain is not None:
        leaf.check_domain(leaf.domain)
    return leaf


def _with_conditions(domain: Domain | None, when: tuple[Any, ...]) -> Domain | None:
    """Returns a domain with the conditions of the groups around its field."""
    if domain is None or not when:
        return domain
    if isinstance(domain, Conditional):
        return Conditional(domain.domain, (*when, *domain.when))
    return Conditional(domain, when)


def _absolute(domain: Domain | None, path: tuple[str, ...], model: type[BaseModel]) -> Domain | None:
    """Returns the domain, with the full dotted names of the fields that it depends on."""
    if not isinstance(domain, Conditional) or not path:
        return domain
    when = tuple(
        (".".join((*path, name)) if name.partition(".")[0] in model.model_fields else name, options)
        for name, options in domain.when
    )
    return Conditional(domain.domain, when)


def _declared_domain(field: FieldInfo) -> Domain | None:
    """Returns the search domain of a field: from `Hparam(search=…)`, or in ``Annotated[float, Uniform(0, 1)]``."""
    extra = field.json_schema_extra
    spec = extra.get("search") if isinstance(extra, Mapping) else None
    found = [mark for mark in field.metadata if isinstance(mark, Domain)]
    found += [] if spec is None else [domain_from_spec(spec)]
    if len(found) > 1:
        raise HparamsError(f"a field has one search domain, but got {' and '.join(map(repr, found))}; remove one")
    return found[0] if found else None
