"""Frozen objects, made as quickly as others.

attrs sets each field of a frozen object by a call of `object.__setattr__`, and Python packs what is
given by keyword into a dict for a class: together that takes three times as long as an ordinary
constructor, and of some classes an object is made for every creation. These are filled while they
are of a twin class, which has the same fields but is not frozen, and then change their class, which
Python lets them do where both have the same layout.
"""

from collections.abc import Callable
from typing import TypeVar, cast

import attrs

_T = TypeVar("_T", bound="Frozen")


class Frozen:
    """A base for what is made so: what makes weak references possible stands here for both."""

    __slots__ = ("__weakref__",)


def fast_constructor(kind: type[_T]) -> Callable[..., _T]:
    """Return what makes objects of a frozen attrs class: all its fields in order, unchecked.

    What the class does after its initialisation is left out: whoever makes it so has checked it.
    """
    described = attrs.fields(cast("type[attrs.AttrsInstance]", kind))
    fields = {field.name: attrs.field() for field in described}
    twin = attrs.make_class(
        f"_Unfrozen{kind.__name__}", fields, bases=(Frozen,), slots=True, repr=False, eq=False
    )

    def make(*values: object) -> _T:
        made: _T = twin(*values)
        made.__class__ = kind
        return made

    return make
