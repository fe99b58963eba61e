"""All owners' problems solved as one, by who may see everything."""

from __future__ import annotations

from gridmarl.planning.central.planner import CentralPlanner

__all__ = ["CentralPlanner"]
