"""A YAML document whose every key knows the line that it stands on.

Plain scalars are read as YAML 1.2 and Compose read them: `yes` and `on` are words, `0755` is a
number in tens, and a date is text. Tags that would make objects are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from deploy.errors import Fault, SettingsError

KeyPath = tuple[str | int, ...]
Mark = tuple[str, int]
"""The file as people see it, and the line in it, from 1."""

# Anchors make a small file large: one line can name the line above it ten times, and so on.
_MOST_NODES = 50_000


@dataclass(frozen=True)
class Document:
    """The values of one YAML file, or of a file and what it includes.

    `marks` has a mark for the path of every key and every list item; `texts` has the text of every
    scalar as it was written (`1.10` and not 1.1).
    """

    label: str
    data: Any
    marks: dict[KeyPath, Mark] = field(default_factory=dict)
    texts: dict[KeyPath, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    def mark(self, path: KeyPath) -> Mark:
        """Return where `path` stands, or the nearest thing around it that is in the file."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks.get(path, (self.label, 1))

    def where(self, path: KeyPath) -> str:
        """Return the same as `file:line`."""
        label, line = self.mark(path)
        return f"{label}:{line}"

    def graft(self, path: KeyPath, other: Document) -> None:
        """Put the marks and texts of `other`, the file that `path` includes, under `path`."""
        self.marks.update({path + inner: mark for inner, mark in other.marks.items()})
        self.texts.update({path + inner: text for inner, text in other.texts.items()})


def dotted(path: KeyPath) -> str:
    """Return a path as people write it: `services.web.port`, `files[2]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read(file: Path, label: str) -> Document:
    """Read a YAML file; faults in it that leave it readable are in the document's `faults`.

    Args:
        file: the file to read.
        label: its name in faults.

    Raises:
        SettingsError: it can't be read, or is not YAML.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError([Fault(label, "", f"can't be read: {reason}")]) from None
    return parse(text, label)


def parse(text: str, label: str) -> Document:
    """Make a document of the text of a YAML file. `label` is the file's name in faults.

    Raises:
        SettingsError: it is not YAML.
    """
    try:
        root = _Loader(text).get_single_node()
        if root is None:
            return Document(label, None)
        return _Reader(label).document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        what = " ".join(part for part in (error.context, error.problem) if part)
        mend = "YAML is indented with spaces" if "'\\t'" in what else ""
        fault = Fault(f"{label}:{line}", "", f"is not YAML: {what}", mend)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        fault = Fault(f"{label}:{line}", "", "holds a control character, which YAML does not allow")
    except RecursionError:
        fault = Fault(label, "", "is nested too deeply")
    raise SettingsError([fault]) from None


class _Loader(yaml.SafeLoader):
    """The safe loader with the plain scalars of YAML 1.2 instead of 1.1."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  PyYAML's own attribute


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), list(_first)
    )

_CORE = "tag:yaml.org,2002:"


class _Reader:
    """Turns nodes into values, and keeps the lines."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.marks: dict[KeyPath, Mark] = {}
        self.texts: dict[KeyPath, str] = {}
        self.faults: list[Fault] = []
        self.repeated: set[int] = set()
        self.nodes = 0

    def document(self, root: Node) -> Document:
        self.marks[()] = (self.label, root.start_mark.line + 1)
        data = self.value(root, (), ())
        return Document(self.label, data, self.marks, self.texts, tuple(self.faults))

    def value(self, node: Node, path: KeyPath, around: tuple[Node, ...]) -> Any:
        self.nodes += 1
        if node in around:
            raise _error(node, "it contains itself")
        if self.nodes > _MOST_NODES:
            raise _error(node, f"its anchors unfold to more than {_MOST_NODES} values")
        inside = (*around, node)
        if isinstance(node, MappingNode) and node.tag == f"{_CORE}map":
            values = {}
            for name, (key, inner) in self.pairs(node, path, inside).items():
                self.marks[(*path, name)] = (self.label, key.start_mark.line + 1)
                values[name] = self.value(inner, (*path, name), inside)
            return values
        if isinstance(node, SequenceNode) and node.tag == f"{_CORE}seq":
            for index, item in enumerate(node.value):
                self.marks[(*path, index)] = (self.label, item.start_mark.line + 1)
            return [self.value(n, (*path, i), inside) for i, n in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            self.texts[path] = node.value
            return _scalar(node)
        raise _error(node, f"the tag {node.tag} is not allowed here")

    def pairs(
        self, node: MappingNode, path: KeyPath, around: tuple[Node, ...]
    ) -> dict[str, tuple[Node, Node]]:
        """Return the keys of a mapping with their nodes; its own win over merged ones (`<<`)."""
        self.nodes += len(node.value)
        if self.nodes > _MOST_NODES:
            raise _error(node, f"its anchors unfold to more than {_MOST_NODES} values")
        own: dict[str, tuple[Node, Node]] = {}
        merged: dict[str, tuple[Node, Node]] = {}
        for key, inner in node.value:
            if key.tag == f"{_CORE}merge":
                for source in inner.value if isinstance(inner, SequenceNode) else [inner]:
                    if not isinstance(source, MappingNode) or source in around:
                        raise _error(key, "only another mapping can be merged with <<")
                    for name, pair in self.pairs(source, path, (*around, source)).items():
                        merged.setdefault(name, pair)
                continue
            if not isinstance(key, ScalarNode):
                raise _error(key, "a key has to be text")
            if key.value in own:
                self.duplicate(key, own[key.value][0], path)
            own[key.value] = (key, inner)
        return {**merged, **own}

    def duplicate(self, key: ScalarNode, first: Node, path: KeyPath) -> None:
        if id(key) in self.repeated:  # seen already, through an alias
            return
        self.repeated.add(id(key))
        self.faults.append(
            Fault(
                f"{self.label}:{key.start_mark.line + 1}",
                dotted((*path, key.value)),
                f"is written twice, first on line {first.start_mark.line + 1}",
                "keep one of them",
            )
        )


def _scalar(node: ScalarNode) -> Any:
    """Return the value of a scalar by its tag."""
    match node.tag.removeprefix(_CORE):
        case "str" | "merge":
            return node.value
        case "null":
            return None
        case "bool" if node.value.lower() in ("true", "false"):
            return node.value.lower() == "true"
        case "int" | "float" as kind:
            try:
                return int(node.value) if kind == "int" else float(node.value)
            except ValueError:
                pass
    raise _error(node, f"the tag {node.tag} is not allowed here")


def _error(node: Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
