"""``gymnasium.make("gridmarl/Seat-v0", ...)`` works after ``import gridmarl``, which itself does not import gymnasium.

Gymnasium has looked for no plugins since its version 1.0: a package registers its environments when it is imported. To
do that without importing Gymnasium, the registration waits until someone else does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Final

SEAT_ID: Final = "gridmarl/Seat-v0"
_REGISTRY: Final = "gymnasium.envs.registration"


def register() -> None:
    """Tell Gymnasium where the single-seat view is; it imports that only when one is made."""
    from gymnasium.envs.registration import register as register_environment
    from gymnasium.envs.registration import registry

    if SEAT_ID not in registry:
        register_environment(
            id=SEAT_ID,
            entry_point="gridmarl.agents.seat:SeatEnv",
            vector_entry_point="gridmarl.agents.seat:SeatVectorEnv",
        )


def register_with_gymnasium() -> None:
    """Register now if Gymnasium is there, else right after its registry has been imported."""
    if _REGISTRY in sys.modules:
        register()
    else:
        sys.meta_path.insert(0, _AfterImport(_REGISTRY, register))


class _AfterImport(MetaPathFinder):
    """Finds one module as Python would, and has a function called once that module has run."""

    def __init__(self, module: str, then: Callable[[], None]) -> None:
        self.module, self.then = module, then

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Then(spec.loader, self._done)
        return spec

    def _done(self) -> None:
        sys.meta_path.remove(self)
        self.then()


class _Then(Loader):
    """Loads through another loader, hands the module back to it, and calls a function."""

    def __init__(self, loader: Loader, then: Callable[[], None]) -> None:
        self.loader, self.then = loader, then

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        self.then()
