"""All mutants of a module: its source with one small change each."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias, cast

_SWAPPED: Final[dict[type[ast.AST], str]] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "/",
    ast.Div: "*",
    ast.And: "or",
    ast.Or: "and",
}
_SWAPPED_NAMES: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}
# Whatever else is put between operators gets parentheses.
_SIMPLE: Final = (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.Constant)
_Node: TypeAlias = ast.expr | ast.stmt
_Text: TypeAlias = Callable[[ast.expr], str]


class Mutant(NamedTuple):
    """One change to one file."""

    path: str
    """Of the module, below the root of the repository."""
    line: int
    start: int
    end: int
    """Bytes of the file."""
    new: str

    def __str__(self) -> str:
        """Show where it is and what it puts there."""
        return f"{self.path}:{self.line}: {self.new}"


def mutants_of(root: Path, path: str) -> Iterator[Mutant]:
    """Find all mutants of the module, in the order of its text."""
    source = (root / path).read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def span(node: _Node) -> tuple[int, int]:
        assert node.end_lineno is not None  # noqa: S101 - nodes that were parsed have an end
        assert node.end_col_offset is not None  # noqa: S101 - likewise
        return (
            starts[node.lineno - 1] + node.col_offset,
            starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def text(node: ast.expr) -> str:
        start, end = span(node)
        written = source[start:end].decode()
        return written if isinstance(node, _SIMPLE) else f"({written})"

    for node in _nodes(ast.parse(source)):
        for replaced, new in _changes(node, text):
            yield Mutant(path, replaced.lineno, *span(replaced), new)


def _nodes(tree: ast.AST) -> Iterator[_Node]:
    """Walk through what runs: no annotation, decorator, docstring, message or type."""
    for name, value in ast.iter_fields(tree):
        if name in {"annotation", "returns", "decorator_list", "type_params", "bases"}:
            continue
        children = cast("list[object]", value) if isinstance(value, list) else [value]
        for node in children:
            if not isinstance(node, ast.AST) or _is_no_behaviour(node):
                continue
            if isinstance(node, (ast.expr, ast.stmt)):
                yield node
            yield from _nodes(node)


def _is_no_behaviour(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Constant()) | ast.JoinedStr():
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__" | "__slots__")]):
            return True
        case ast.Raise(exc=ast.Call(func=ast.Name(id="AssertionError"))):
            return True
        case ast.Call(func=ast.Name(id="TypeVar" | "NewType" | "cast")):
            return True
        case _:
            return False


def _changes(node: _Node, text: _Text) -> Iterator[tuple[_Node, str]]:  # noqa: C901, PLR0912 - a table
    """Say what is replaced by what."""
    match node:
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            if isinstance(test, (*_SIMPLE, ast.Await)) and not isinstance(test, ast.Constant):
                yield test, f"(not {text(test)})"
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            if type(operator) in _SWAPPED:
                yield node, f"{text(left)} {_SWAPPED[type(operator)]} {text(right)}"
        case ast.BoolOp(op=operator, values=values):
            yield node, f"({f' {_SWAPPED[type(operator)]} '.join(map(text, values))})"
        case ast.BinOp(left=left, op=operator, right=right):
            if type(operator) in _SWAPPED and not _is_text(left) and not _is_text(right):
                yield node, f"({text(left)} {_SWAPPED[type(operator)]} {text(right)})"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield node, text(operand)
        case ast.Constant(value=bool(value)):
            yield node, str(not value)
        case ast.Constant(value=int(value)):
            yield node, str(value + 1)
        case ast.Constant(value=float(value)):
            yield node, str(value * 2 if value else 1.0)
        case ast.Name(id=name, ctx=ast.Load()) if name in _SWAPPED_NAMES:
            yield node, _SWAPPED_NAMES[name]
        case ast.AugAssign(target=target, op=operator, value=value) if type(operator) in _SWAPPED:
            yield node, f"{text(target)} {_SWAPPED[type(operator)]}= {text(value)}"
            yield node, "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) | ast.Raise() | ast.Delete():
            yield node, "pass"
        case ast.Expr(value=ast.Call() | ast.Await()):
            yield node, "pass"
        case ast.Return(value=ast.expr() as value):
            if not (isinstance(value, ast.Constant) and not value.value):
                yield node, "return None"
        case ast.Break():
            yield node, "continue"
        case ast.Continue():
            yield node, "break"
        case _:
            pass


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))
    )
