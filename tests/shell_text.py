"""Reads Python for shell that is put together from text which nobody quoted.

What counts as shell: the word after `"sh", "-c"` in a list or a call, and the last lines that are
given to `deploy.remote.script.assemble`, which quotes all the rest itself. Each is followed back to
where it comes from: through names, `+` and f-strings, through functions of the same module to what
they return, and from arguments to the calls of the same module. At the end there must be a literal,
a number, or one of what quotes (`shlex.quote`, `shlex.join`, `call_of`). What can't be followed is
reported, never believed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

SHELLS = {"sh", "bash", "/bin/sh", "/bin/bash"}
QUOTERS = {"shlex.quote", "shlex.join", "call_of", "script", "assemble"}
NUMBERS = {"int", "len", "round", "math.ceil"}
_AS_NUMBER = re.compile(r"[\d.,+ ]*[dfgx]")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Found:
    """A piece of text that gets into shell unquoted: its line, its function, and itself."""

    line: int
    function: str
    text: str


@dataclass
class Module:
    """One module; `imported` are the names that it has from `deploy.remote.script`."""

    tree: ast.Module
    above: dict[ast.AST, ast.AST] = field(default_factory=dict)
    imported: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, source: str) -> Module:
        tree = ast.parse(source)
        module = cls(tree)
        for node in ast.walk(tree):
            module.above |= dict.fromkeys(ast.iter_child_nodes(node), node)
            if isinstance(node, ast.ImportFrom) and node.module == "deploy.remote.script":
                module.imported |= {alias.asname or alias.name for alias in node.names}
        if module._functions("call_of"):  # that module itself
            module.imported |= {"assemble", "call_of"}
        return module

    def unquoted(self) -> list[Found]:
        """Every piece, in the order of the shell that it gets into."""
        return [found for shell in self.shells() for found in self._bad(shell, frozenset())]

    # --- what is shell ---------------------------------------------------------------------------

    def shells(self) -> Iterator[ast.expr]:
        """Every expression that a shell will read."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.List | ast.Tuple):
                yield from _after_dash_c(node.elts)
            elif isinstance(node, ast.Call):
                yield from _after_dash_c(node.args)
                if isinstance(node.func, ast.Name) and node.func.id in {"assemble"} & self.imported:
                    yield from node.args[2:]
                    yield from (one.value for one in node.keywords if one.arg == "call")

    # --- where it comes from ---------------------------------------------------------------------

    def _bad(self, node: ast.expr, seen: frozenset[ast.AST]) -> Iterator[Found]:
        """The pieces of an expression that nobody has quoted; `seen` ends circles."""
        if node in seen:
            return
        seen |= {node}
        parts = self._parts(node)
        if parts is None:
            function = self._function(node)
            name = function.name if function else ""
            yield Found(node.lineno, name, ast.unparse(node))
            return
        for part in parts:
            yield from self._bad(part, seen)

    def _parts(self, node: ast.expr) -> list[ast.expr] | None:  # noqa: PLR0911 - one for each kind
        """What an expression is made of; nothing if it is safe, None if it can't be told."""
        match node:
            case ast.Constant():
                return []
            case ast.JoinedStr(values=values):
                return list(values)
            case ast.FormattedValue(value=value, format_spec=spec):
                return [] if spec and _AS_NUMBER.fullmatch(_literal(spec)) else [value]
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return [left, right]
            case ast.IfExp(body=body, orelse=orelse):
                return [body, orelse]
            case ast.BoolOp(values=values):
                return list(values)
            case ast.List(elts=elts) | ast.Tuple(elts=elts):
                return list(elts)
            case ast.ListComp(elt=elt) | ast.GeneratorExp(elt=elt):
                return [elt]
            case ast.Call():
                return self._called(node)
            case ast.Name():
                return self._named(node)
        return None

    def _called(self, node: ast.Call) -> list[ast.expr] | None:
        name = ast.unparse(node.func)
        if name in NUMBERS or (name in QUOTERS and ("." in name or name in self.imported)):
            return []
        if isinstance(node.func, ast.Attribute) and node.func.attr == "join":
            return [node.func.value, *node.args]
        own = self._functions(name.removeprefix("self."))
        if len(own) != 1:
            return None
        return [
            one.value
            for one in ast.walk(own[0])
            if isinstance(one, ast.Return) and one.value is not None
        ]

    def _named(self, node: ast.Name) -> list[ast.expr] | None:
        scope: ast.AST | None = self._function(node)
        while scope is not None:
            values = self._assigned(scope, node.id)
            if isinstance(scope, Function) and node.id in _parameters(scope):
                given = self._given(scope, node.id)
                return None if given is None else given + (values or [])
            if values is not None:
                return values
            scope = self._function(scope)
        return self._assigned(self.tree, node.id)

    def _assigned(self, scope: ast.AST, name: str) -> list[ast.expr] | None:
        """Every value that the name is given in a scope itself; None if it is given none."""
        found: list[ast.expr] = []
        for node in ast.walk(scope):
            if node is not scope and (self._function(node) or self.tree) is not scope:
                continue
            for target, value in _assignments(node):
                names = {one.id for one in ast.walk(target) if isinstance(one, ast.Name)}
                if name not in names:
                    continue
                if value is None or not isinstance(target, ast.Name):
                    return None  # a loop's, a pattern's: not worth following
                found.append(value)
        return found or None

    def _given(self, function: Function, name: str) -> list[ast.expr] | None:
        """What the calls in this module give for a parameter; None if there is no call."""
        names = [one for one in _parameters(function) if one not in {"self", "cls"}]
        found = []
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.Call):
                continue
            if ast.unparse(node.func).removeprefix("self.") != function.name:
                continue
            by_name = {one.arg: one.value for one in node.keywords}
            by_name |= dict(zip(names, node.args, strict=False))
            if None in by_name or any(isinstance(one, ast.Starred) for one in node.args):
                return None
            if name in by_name:
                found.append(by_name[name])
        return [*found, *_defaults(function, name)] if found else None

    def _functions(self, name: str) -> list[Function]:
        return [
            one for one in ast.walk(self.tree) if isinstance(one, Function) and one.name == name
        ]

    def _function(self, node: ast.AST) -> Function | None:
        """The function around a node; a function's own is the one around it."""
        around = self.above.get(node)
        while around is not None and not isinstance(around, Function):
            around = self.above.get(around)
        return around


def _after_dash_c(words: list[ast.expr]) -> Iterator[ast.expr]:
    for at, word in enumerate(words):
        if not (isinstance(word, ast.Constant) and word.value in SHELLS):
            continue
        rest = iter(words[at + 1 :])
        for flag in rest:
            if not (isinstance(flag, ast.Constant) and str(flag.value).startswith("-")):
                break
            if str(flag.value).endswith("c"):
                yield from list(rest)[:1]
                break


def _assignments(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """What a statement gives values to, each with the value where there is one to follow."""
    match node:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(
            targets
        ) == len(values):
            yield from zip(targets, values, strict=True)
        case ast.Assign(targets=targets, value=value):
            yield from ((target, value) for target in targets)
        case ast.AnnAssign(target=target, value=value) if value is not None:
            yield target, value
        case ast.AugAssign(target=target, op=ast.Add(), value=value):
            yield target, value
        case ast.NamedExpr(target=target, value=value):
            yield target, value
        case (
            ast.AugAssign(target=target)
            | ast.For(target=target)
            | ast.comprehension(target=target)
            | ast.withitem(optional_vars=ast.expr() as target)
        ):
            yield target, None


def _defaults(function: Function, name: str) -> list[ast.expr]:
    arguments = function.args
    places = [*arguments.posonlyargs, *arguments.args]
    pairs = [
        *zip(reversed(places), reversed(arguments.defaults), strict=False),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return [value for one, value in pairs if one.arg == name and value is not None]


def _parameters(function: Function) -> list[str]:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [one for one in (arguments.vararg, arguments.kwarg) if one]
    return [one.arg for one in every]


def _literal(node: ast.expr) -> str:
    """The text of an f-string that has nothing in it; "?" for any other."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    whole = all(isinstance(one, ast.Constant) for one in parts)
    return (
        "".join(str(one.value) for one in parts if isinstance(one, ast.Constant)) if whole else "?"
    )
