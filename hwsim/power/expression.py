"""Boolean expressions of Liberty (``function``, ``when``, ``next_state``) as truth tables.

Operators, tightest first: ``'`` (postfix) and ``!`` invert, ``^``, then ``&``, ``*`` or a
space, then ``|`` or ``+`` (Liberty user guide, "function attribute").
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from hwsim.errors import PowerError

MAX_INPUTS = 16
"""Inputs of one expression: its truth table has two to this many bits."""

_TOKEN = re.compile(r"\s*(?:(\\?[A-Za-z_][\w.]*(?:\[\d+\])?)|([01](?:'b[01])?)|([!'^&*|+()~]))")


@dataclass(frozen=True)
class Expression:
    """A Boolean function: bit i of ``table`` is its value where input k is bit k of i."""

    inputs: tuple[str, ...]
    table: int

    def words(self) -> np.ndarray:
        """The truth table as uint64[max(1, 2^inputs / 64)], bit i of word i // 64 first."""
        count = max(1, (1 << len(self.inputs)) // 64)
        return np.array([(self.table >> (64 * word)) & (2**64 - 1) for word in range(count)], np.uint64)

    def bits(self) -> np.ndarray:
        """The truth table as bool[2^inputs]."""
        return np.array([(self.table >> i) & 1 for i in range(1 << len(self.inputs))], bool)

    def __invert__(self) -> "Expression":
        return Expression(self.inputs, self.table ^ _ones(len(self.inputs)))

    def substitute(self, replacements: Mapping[str, "Expression"]) -> "Expression":
        """This function with inputs replaced by functions, reduced to the inputs that matter."""
        names = dict.fromkeys(
            name for old in self.inputs for name in (replacements[old].inputs if old in replacements else (old,))
        )
        inputs = tuple(names)
        columns = [
            _extend(replacements[old], inputs) if old in replacements else _extend(variable(old), inputs)
            for old in self.inputs
        ]
        full, table = _ones(len(inputs)), 0
        for row in range(1 << len(self.inputs)):
            if (self.table >> row) & 1:
                term = full
                for k, column in enumerate(columns):
                    term &= column if (row >> k) & 1 else column ^ full
                table |= term
        return _reduced(Expression(inputs, table))

    def difference(self, name: str) -> "Expression":
        """Where input ``name`` decides the value: f(name=0) xor f(name=1)."""
        zero, one = Expression((), 0), Expression((), 1)
        return _combine(self.substitute({name: zero}), self.substitute({name: one}), int.__xor__)

    def sense(self, name: str) -> str:
        """``positive_unate``, ``negative_unate`` or ``non_unate`` in input ``name``."""
        low = self.substitute({name: Expression((), 0)})
        high = self.substitute({name: Expression((), 1)})
        falls = _combine(low, ~high, int.__and__).table != 0
        rises = _combine(high, ~low, int.__and__).table != 0
        return "non_unate" if falls and rises else "negative_unate" if falls else "positive_unate"


def variable(name: str) -> Expression:
    """The function that is input ``name``."""
    return Expression((name,), 0b10)


def _ones(inputs: int) -> int:
    return (1 << (1 << inputs)) - 1


@cache
def _column(k: int, inputs: int) -> int:
    """Truth table of input k among ``inputs``."""
    block = ((1 << (1 << k)) - 1) << (1 << k)
    return sum(block << shift for shift in range(0, 1 << inputs, 2 << k))


def _extend(expression: Expression, inputs: tuple[str, ...]) -> int:
    """The truth table over ``inputs``, which contain those of ``expression``."""
    if expression.inputs == inputs:
        return expression.table
    full, table = _ones(len(inputs)), 0
    columns = [_column(inputs.index(name), len(inputs)) for name in expression.inputs]
    for row in range(1 << len(expression.inputs)):
        if (expression.table >> row) & 1:
            term = full
            for k, column in enumerate(columns):
                term &= column if (row >> k) & 1 else column ^ full
            table |= term
    return table


def _reduced(expression: Expression) -> Expression:
    """The same function without the inputs that never matter."""
    inputs, table = expression.inputs, expression.table
    k = 0
    while k < len(inputs):
        column = _column(k, len(inputs))
        if (table & column) >> (1 << k) != table & (column >> (1 << k)):
            k += 1
            continue
        kept = [row for row in range(1 << len(inputs)) if not (row >> k) & 1]
        table = sum(((table >> row) & 1) << index for index, row in enumerate(kept))
        inputs = inputs[:k] + inputs[k + 1 :]
    return Expression(inputs, table)


def _combine(left: Expression, right: Expression, operation: Callable[[int, int], int]) -> Expression:
    inputs = tuple(dict.fromkeys(left.inputs + right.inputs))
    if len(inputs) > MAX_INPUTS:
        raise PowerError(f"an expression has {len(inputs)} inputs; accepted: at most {MAX_INPUTS}")
    return Expression(inputs, operation(_extend(left, inputs), _extend(right, inputs)))


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """The function written as ``text``; PowerError if it is not one."""
    return _Parser(text).parse()


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = []
        position, end = 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                raise self._error()
            self.tokens.append(match.group().strip().lstrip("\\"))
            position = match.end()
        self.index = 0

    def parse(self) -> Expression:
        result = self._or()
        if self.index != len(self.tokens):
            raise self._error()
        return result

    def _error(self) -> PowerError:
        return PowerError(f"{self.text!r} is not a Boolean expression of Liberty")

    def _peek(self) -> str:
        return self.tokens[self.index] if self.index < len(self.tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self.index += 1
        return token

    def _or(self) -> Expression:
        result = self._and()
        while self._peek() in ("|", "+") and self._peek():
            self._take()
            result = _combine(result, self._and(), int.__or__)
        return result

    def _and(self) -> Expression:
        result = self._xor()
        while self._peek() and self._peek() not in ("|", "+", ")"):
            if self._peek() in ("&", "*"):
                self._take()
            result = _combine(result, self._xor(), int.__and__)
        return result

    def _xor(self) -> Expression:
        result = self._inverted()
        while self._peek() == "^":
            self._take()
            result = _combine(result, self._inverted(), int.__xor__)
        return result

    def _inverted(self) -> Expression:
        token = self._take()
        if token in ("!", "~"):
            return ~self._inverted()
        if token == "(":
            result = self._or()
            if self._take() != ")":
                raise self._error()
        elif token[:1] in ("0", "1"):
            result = Expression((), int(token[-1]))
        elif token and token not in "'^&*|+)":
            result = variable(token)
        else:
            raise self._error()
        while self._peek() == "'":
            self._take()
            result = ~result
        return result
