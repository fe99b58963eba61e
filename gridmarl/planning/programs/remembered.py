"""What was worked out once and holds again, up to a number of things; what was asked for longest ago is forgotten."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Thing = TypeVar("Thing")


class Remembered(Generic[Key, Thing]):
    """A memory of ``size`` things.

    Parameters
    ----------
    size : int
    """

    def __init__(self, size: int) -> None:
        self._size, self._things = size, OrderedDict[Key, Thing]()

    def get(self, key: Key, make: Callable[[], Thing]) -> Thing:
        """The thing of this key, made now where it is not known."""
        if key not in self._things:
            self._things[key] = make()
            if len(self._things) > self._size:
                self._things.popitem(last=False)
        self._things.move_to_end(key)
        return self._things[key]
