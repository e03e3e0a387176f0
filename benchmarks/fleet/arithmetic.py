"""The arithmetic of a fleet's figures."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence


def jain(shares: Sequence[float]) -> float:
    """Return Jain's index of fairness: 1 if all have the same, 1/n if one has it all."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0


def rates(moments: Iterable[float], end: float, step: float) -> list[float]:
    """Return the events a second, in each step of time until the end."""
    counts = Counter(int(moment / step) for moment in moments)
    return [counts[number] / step for number in range(round(end / step))]


def peak(moments: Iterable[float], width: float) -> float:
    """Return the most events a second, in any stretch of time of this width."""
    inside: deque[float] = deque()
    most = 0
    for moment in sorted(moments):
        inside.append(moment)
        while inside[0] <= moment - width:
            inside.popleft()
        most = max(most, len(inside))
    return most / width


def settled(rate: Sequence[float], step: float, start: float, goal: float) -> float | None:
    """Return the seconds from the start until the rate reaches the goal; None if it never does."""
    for number in range(round(start / step), len(rate)):
        if rate[number] >= goal:
            return number * step + step - start
    return None
