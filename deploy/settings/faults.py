"""From pydantic's errors to faults in plain words, with the mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from deploy.settings.document import KeyPath
from deploy.settings.kinds import shown
from deploy.settings.model import HostsFile

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic.fields import FieldInfo

Finding = tuple[KeyPath, str, str]
"""The path, what is wrong, and the mend."""

UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
"""Pydantic's two types for a key that is not in the model: of a model, and of a dataclass."""

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "dataclass_type": "a mapping",
}

# Where somebody may have written a secret by mistake; what stands there is never shown.
_NOT_SHOWN = (
    *(("secrets",), ("env",), ("registry", "password"), ("database", "url"), ("url",)),
    *(("notify", "slack"), ("notify", "webhook", "key")),
    *(("cdn", "cloudflare", "token"), ("cdn", "fastly", "token"), ("cdn", "bunny", "key")),
)


def findings(error: ValidationError) -> Iterator[Finding]:
    """Yield what is wrong with a hosts file, in the order of the keys of the model."""
    for detail in error.errors(include_url=False):
        path = _path(detail["loc"])
        message, mend = _words(detail["type"], path, detail["input"], detail.get("ctx") or {})
        yield path, message, mend


def unknown_keys(error: ValidationError) -> list[KeyPath]:
    """Return the paths of the keys that are not in the model."""
    return [_path(d["loc"]) for d in error.errors(include_url=False) if d["type"] in UNKNOWN]


def model_fields(path: KeyPath) -> Mapping[str, FieldInfo]:
    """Return the fields of the model that stands at `path` of a hosts file; none if none does."""
    kind: Any = HostsFile
    for part in path:
        fields = getattr(kind, "__pydantic_fields__", None)
        if fields is not None:
            kind = fields[part].annotation if part in fields else None
        else:  # a mapping or a list: what is inside of it
            kind = next(iter(get_args(kind)[-1:]), None)
        kind = _plain(kind)
    return getattr(kind, "__pydantic_fields__", {})


def _plain(kind: Any) -> Any:
    """Return the one type that is meant by `X | None` and by `Annotated[X, …]`."""
    while get_origin(kind) in (Annotated, Union, UnionType):
        kinds = [k for k in get_args(kind) if k is not type(None)]
        kind = kinds[0]
    return kind


def _path(loc: tuple[int | str, ...]) -> KeyPath:
    """Leave out pydantic's own marks: `[key]`, and the tags of a union."""
    return tuple(p for p in loc if p != "[key]" and not (isinstance(p, str) and p[:1] == "<"))


def _words(kind: str, path: KeyPath, value: object, context: dict[str, Any]) -> tuple[str, str]:
    """Return the message and the mend of one error."""
    match kind:
        case "settings":
            words = context["message"], context["mend"]
        case "missing":
            key = str(path[-1])
            field = model_fields(path[:-1]).get(key)
            example = field.examples[0] if field and field.examples else "…"
            words = "is missing", f"write {key}: {example}"
        case "extra_forbidden" | "unexpected_keyword_argument":
            choices = list(model_fields(path[:-1]))
            near = _near(str(path[-1]), choices) or f"the keys here are {', '.join(choices)}"
            words = "no such key", near
        case "literal_error":
            expected = context["expected"].replace("'", "")
            near = _near(str(value), expected.replace(" or ", ", ").split(", "))
            words = f"is {shown(value)}, expected {expected}", near
        case "too_short" | "string_too_short":
            words = "is empty", "write at least one" if kind == "too_short" else ""
        case "greater_than_equal":
            words = f"is {shown(value)}, expected {context['ge']:g} or more", ""
        case "greater_than":
            words = f"is {shown(value)}, expected more than {context['gt']:g}", ""
        case "less_than_equal":
            words = f"is {shown(value)}, expected {context['le']:g} or less", ""
        case _:
            words = _wrong_type(path, value, _EXPECTED.get(kind, "something else"))
    return words


def _wrong_type(path: KeyPath, value: object, expected: str) -> tuple[str, str]:
    mend = ""
    if expected == "text" and isinstance(value, int | float):
        mend = "put it in quotes"
    elif isinstance(value, str) and value.isdigit() and expected.endswith("number"):
        mend = "take the quotes away"
    elif expected == "a list" and isinstance(value, str):
        mend = "put it in [ ]"
    hidden = any(path[: len(p)] == p for p in _NOT_SHOWN) or "env" in path
    hidden = hidden or (path[:1] == ("smoke",) and ("json" in path or "headers" in path))
    return f"is {_kind_of(value) if hidden else shown(value)}, expected {expected}", mend


def _kind_of(value: object) -> str:
    if isinstance(value, str):
        return "text"
    return "a number" if isinstance(value, int | float) else shown(value)


def _near(word: str, choices: list[str]) -> str:
    """Return the question for the one likely word, if there is one."""
    near = difflib.get_close_matches(word, choices, n=1)
    return f"did you mean {near[0]}?" if near else ""


def without(data: dict[str, Any], paths: list[KeyPath]) -> dict[str, Any]:
    """Return a copy of `data` in which the keys at `paths` are left out."""

    def copy(value: Any, path: KeyPath) -> Any:
        if isinstance(value, dict):
            return {k: copy(v, (*path, k)) for k, v in value.items() if (*path, k) not in unwanted}
        if isinstance(value, list):
            return [copy(v, (*path, i)) for i, v in enumerate(value)]
        return value

    unwanted = set(paths)
    return {k: copy(v, (k,)) for k, v in data.items() if (k,) not in unwanted}
