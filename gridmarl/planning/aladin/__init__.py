"""ALADIN: ADMM's rounds, then a few Newton-like steps."""

from __future__ import annotations

from gridmarl.planning.aladin.planner import AladinPlanner, AladinSettings

__all__ = ["AladinPlanner", "AladinSettings"]
