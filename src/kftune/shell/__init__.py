"""Reads shell lines as dash and bash do."""

from kftune.shell.lexer import HARMLESS, ShellSyntaxError, ShellToken
from kftune.shell.parse import AndOr, CommandList, Compound, Pipe, Redirect, Simple, parse

__all__ = [
    "HARMLESS",
    "AndOr",
    "CommandList",
    "Compound",
    "Pipe",
    "Redirect",
    "ShellSyntaxError",
    "ShellToken",
    "Simple",
    "parse",
]
