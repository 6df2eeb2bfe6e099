"""The YAML of a compose file, read and written as Compose does it and not as YAML 1.1 would."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy.errors import Fault, SettingsError


class Digits(str):
    """A number as it was written: 0755 and 22:22 stay that, and no base is guessed."""

    __slots__ = ()


@dataclass(frozen=True)
class Tagged:
    """A value under one of Compose's own tags: `!reset` or `!override`."""

    tag: str
    value: Any


class _Loader(yaml.SafeLoader):
    """Reads Compose's own tags, keeps numbers as text, and refuses a key that stands twice."""

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        """Build a mapping's node, before any merge key has been followed."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen and key.value != "<<":
                problem = f"the key {key.value!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(str(key.value))
        return node


def _tagged(loader: _Loader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None


def _digits(loader: _Loader, node: yaml.ScalarNode) -> Digits:
    return Digits(loader.construct_scalar(node))


_KEPT = {f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "merge", "null")}
_Loader.add_multi_constructor("!", _tagged)
_Loader.add_constructor("tag:yaml.org,2002:int", _digits)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag in _KEPT]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(path: Path, where: str) -> tuple[str, Any]:
    """Return a file's text, to the letter, and what it says.

    Args:
        path: the file.
        where: how people are told of it.

    Raises:
        SettingsError: it cannot be read, or is no YAML.
    """
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        reason = error.strerror or str(error)
        mend = "name it under compose: in the hosts file"
        raise SettingsError([Fault(where, "", reason, mend)]) from None
    except UnicodeDecodeError:
        raise SettingsError([Fault(where, "", "is not UTF-8 text")]) from None
    try:
        return text, yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        problem = "holds a character that YAML does not allow"
        raise SettingsError([Fault(f"{where}:{line}", "", problem)]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f"{where}:{mark.line + 1}" if mark else where
        raise SettingsError([Fault(at, "", error.problem or "is not YAML")]) from None
    except RecursionError:
        raise SettingsError([Fault(where, "", "is nested too deeply")]) from None


class _Dumper(yaml.SafeDumper):
    """Writes `Tagged` and `Digits`."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out: an anchor would only be in a reader's way."""
        return True


def _represent_tagged(dumper: _Dumper, data: Tagged) -> yaml.Node:
    node = dumper.represent_data(data.value)
    node.tag = data.tag
    return node


def _represent_digits(dumper: _Dumper, data: Digits) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:int", data)


def _represent_text(dumper: _Dumper, data: str) -> yaml.Node:
    # PyYAML takes these for ends of lines, and folds them, unless they are written as escapes.
    style = '"' if set(data) & {"\x85", "\u2028", "\u2029"} else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(Tagged, _represent_tagged)
_Dumper.add_representer(Digits, _represent_digits)


def write(value: Any) -> str:
    """Return a value as YAML, in the order of its keys."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=200)
