"""Dantzig-Wolfe: owners propose schedules at prices, and a master mixes them."""

from __future__ import annotations

from gridmarl.planning.dantzig_wolfe.planner import DantzigWolfePlanner

__all__ = ["DantzigWolfePlanner"]
