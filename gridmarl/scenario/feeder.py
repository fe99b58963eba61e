"""A radial feeder: its buses, the lines between them, and the load that it usually carries."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat, StringConstraints, model_validator

from gridmarl import catalogue
from gridmarl.errors import CatalogueError, nearest
from gridmarl.scenario.model import Model
from gridmarl.units import Float

FOLDER = "envs/feeders"

BusName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$")]


class Bus(Model):
    """A place where participants connect, and what is consumed there at nominal load."""

    name: BusName
    p_mw: float = Field(default=0.0, description="nominal load, consumption positive as in published tables")
    q_mvar: float = Field(default=0.0, description="nominal reactive load")


class Branch(Model):
    """A line between two buses, given by its series impedance."""

    from_bus: BusName = Field(alias="from")
    to_bus: BusName = Field(alias="to")
    r_ohm: PositiveFloat
    x_ohm: PositiveFloat


class Feeder(Model):
    """A tree of buses below one source, the first in the list. Load one by name or path with :meth:`load`."""

    name: str
    description: str = ""
    nominal_kv: PositiveFloat
    base_pu: PositiveFloat = Field(default=1.0, description="voltage of the grid above")
    tap_pu: PositiveFloat = Field(default=1.0, description="of the transformer at the source; multiplies base_pu")
    load_scale: NonNegativeFloat = Field(default=1.0, description="multiplies the nominal loads of all buses")
    buses: tuple[Bus, ...] = Field(min_length=2)
    branches: tuple[Branch, ...]

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [bus.name for bus in self.buses]
        if twice := sorted(name for name, count in Counter(names).items() if count > 1):
            raise ValueError(f"bus names must be unique; twice or more: {', '.join(twice)}")
        for branch in self.branches:
            for end in (branch.from_bus, branch.to_bus):
                if end not in names:
                    raise ValueError(f"branches: no bus {end!r}. {nearest(end, names)}".rstrip())
        self._check_tree(names)
        return self

    def _check_tree(self, names: list[str]) -> None:
        source = names[0]
        feeds = Counter(branch.to_bus for branch in self.branches)
        if feeds[source]:
            raise ValueError(
                f"branches: {source!r} is the source, because it is the first bus; no branch may lead to it"
            )
        if twice := sorted(name for name, count in feeds.items() if count > 1):
            raise ValueError(f"branches: a radial feeder feeds each bus once; fed twice or more: {', '.join(twice)}")
        if cut := [name for name in names if name not in self.bus_names]:
            raise ValueError(
                f"branches: no path from the source {source!r} to {', '.join(cut)}; each runs from its source"
            )

    @cached_property
    def _branch_to(self) -> dict[str, Branch]:
        return {branch.to_bus: branch for branch in self.branches}

    @cached_property
    def bus_names(self) -> tuple[str, ...]:
        """Names of the buses that the source reaches, parents before children: the rows of the arrays."""
        children: dict[str, list[str]] = {}
        for branch in self.branches:
            children.setdefault(branch.from_bus, []).append(branch.to_bus)
        order, waiting = [], [self.buses[0].name]
        while waiting:
            order.append(waiting.pop())
            waiting.extend(reversed(children.get(order[-1], [])))
        return tuple(order)

    @property
    def source_pu(self) -> float:
        """Voltage at the source."""
        return self.base_pu * self.tap_pu

    def row(self, bus: str) -> int:
        """Row of a bus in the arrays.

        Raises
        ------
        CatalogueError
            The feeder has no such bus.
        """
        if bus not in self.bus_names:
            allowed = ", ".join(self.bus_names)
            raise CatalogueError(f"bus of feeder {self.name!r}", bus, allowed, nearest(bus, self.bus_names))
        return self.bus_names.index(bus)

    def table(self) -> Float:
        """Parent's row, resistance and reactance of each bus's line towards its parent.

        Returns
        -------
        (bus, 3) float
            Impedances in pu of 1 MVA, that is ohm / kV²; parents before children. The source's row is -1, 0, 0.
        """
        table = np.array([[-1.0, 0.0, 0.0]] * len(self.bus_names))
        for row, name in enumerate(self.bus_names[1:], start=1):
            branch = self._branch_to[name]
            impedance_pu = np.array([branch.r_ohm, branch.x_ohm]) / self.nominal_kv**2
            table[row] = self.bus_names.index(branch.from_bus), *impedance_pu
        return table

    def nominal_injections(self, factor: float = 1.0) -> tuple[Float, Float]:
        """Injections of the nominal loads, in the order of the table.

        Parameters
        ----------
        factor : float
            Multiplies all loads, beside ``load_scale``.

        Returns
        -------
        tuple of (bus,) float
            Active and reactive power, MW and MVAr; consumption is negative. Fresh arrays.
        """
        loads = {bus.name: (bus.p_mw, bus.q_mvar) for bus in self.buses}
        p_mw, q_mvar = np.array([loads[name] for name in self.bus_names]).T * (-factor * self.load_scale)
        return p_mw.copy(), q_mvar.copy()

    @classmethod
    def load(cls, name_or_path: str | Path) -> Self:
        """Read a shipped feeder by its name, or your own by its path.

        Parameters
        ----------
        name_or_path : str or Path
            ``small``, ``ieee-33``, or a YAML file.

        Raises
        ------
        CatalogueError
            No such feeder.
        ScenarioError
            A file that is not a radial feeder.
        """
        path = catalogue.find(FOLDER, name_or_path)
        return cls.parse({"name": path.stem, **catalogue.read(FOLDER, name_or_path)}, path.name)
