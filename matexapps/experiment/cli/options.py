"""Command-line options from a dataclass: its fields' types and defaults, and its docstring."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer

_SECONDS = "_s"
_PARAMETER = re.compile(r"^(\w+(?:, \w+)*) : ?(.*)$")


def field_texts(kind: type) -> dict[str, tuple[str, str]]:
    """Return what numpy-style docstrings say of a dataclass's fields: type and text.

    Those of base classes are included; a class's own words go first.
    """
    texts: dict[str, tuple[str, str]] = {}
    for base in reversed(kind.__mro__):
        texts |= _of_docstring(inspect.cleandoc(base.__dict__.get("__doc__") or ""))
    return texts


def options_of(kind: type, positional: str | None = None) -> list[inspect.Parameter]:
    """Return a typer option for each field of a dataclass, as parameters of a command.

    An option that is not given is None, so that what was given can be told from defaults, which
    stand in the help. The field called ``positional`` is an argument, without a flag; the flag of
    one in seconds, as ``time_limit_s``, is without its unit.
    """
    texts, hints = field_texts(kind), get_type_hints(kind)
    return [
        _argument(item, texts[item.name][1])
        if item.name == positional
        else _option(item, hints[item.name], *texts.get(item.name, ("", "")))
        for item in fields(kind)
        if item.init
    ]


def given_settings(kind: type, values: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were given, lists read from their commas."""
    hints = get_type_hints(kind)
    return {
        name: value.split(",") if _is_list(hints[name]) else value
        for name, value in values.items()
        if name in hints and value is not None
    }


def command(name: str, help_text: str, parameters: list[inspect.Parameter]) -> Callable[..., Any]:
    """Return a decorator that gives a function of keyword arguments these parameters."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.Signature(parameters)
        function.__signature__ = signature  # type: ignore[attr-defined]
        function.__annotations__ = {each.name: each.annotation for each in parameters}
        function.__name__, function.__doc__ = name.replace("-", "_"), help_text
        return function

    return decorate


def _option(item: Field[Any], hint: Any, kind: str, text: str) -> inspect.Parameter:
    inner = _without_none(hint)
    typed = str if _is_list(hint) else inner
    flag = "--" + item.name.removesuffix(_SECONDS).replace("_", "-")
    names = [f"{flag}/--no-{flag[2:]}"] if typed is bool else [flag]
    option = typer.Option(
        *names, help=_help(text, kind, item.default), metavar=_metavar(item.name, text, hint)
    )
    return inspect.Parameter(
        item.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[Union[typed, None], option],  # noqa: UP007  # typed is a value
    )


def _argument(item: Field[Any], text: str) -> inspect.Parameter:
    argument = typer.Argument(help=_help(text, "", item.default), metavar="FILE")
    return inspect.Parameter(
        item.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if item.default is MISSING else None,
        annotation=Annotated[str if item.default is MISSING else str | None, argument],
    )


def _help(text: str, kind: str, default: Any) -> str:
    choices = re.match(r"\{(.*?)\}", kind)
    words = f"One of {choices[1].replace(chr(34), '')}. " if choices else ""
    # The option itself has no default, so that it is known whether it was given.
    known = "" if default in (None, MISSING, "") else f" \\[default: {_plain(default)}]"
    return f"{words}{text}{known}"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _metavar(name: str, text: str, hint: Any) -> str | None:
    if name.endswith(_SECONDS):
        return "SECONDS"
    if _is_list(hint):
        return "A,B"
    return next((word.upper() for word in ("Folder", "File") if text.startswith(word)), None)


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        kinds = [each for each in get_args(hint) if each is not type(None)]
        return str if str in kinds else kinds[0]
    return hint


def _is_list(hint: Any) -> bool:
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return any(get_origin(each) is list for each in kinds)


def _of_docstring(text: str) -> dict[str, tuple[str, str]]:
    lines = iter(text.splitlines())
    for line in lines:
        if line == "Attributes":
            break
    texts: dict[str, tuple[str, str]] = {}
    names: list[str] = []
    for line in lines:
        if not line.startswith(" ") and line and (match := _PARAMETER.match(line)):
            names = match[1].split(", ")
            texts |= dict.fromkeys(names, (match[2], ""))
        elif line.startswith("    "):
            for name in names:
                kind, words = texts[name]
                texts[name] = kind, f"{words} {line.strip()}".strip()
        elif line and not set(line) <= {"-"}:
            names = []
    return texts
