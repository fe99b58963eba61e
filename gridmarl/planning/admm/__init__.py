"""Sharing ADMM: owners keep their problems and agree through a price, round by round."""

from __future__ import annotations

from gridmarl.planning.admm.planner import AdmmPlanner
from gridmarl.planning.admm.sharing import AdmmSettings

__all__ = ["AdmmPlanner", "AdmmSettings"]
