"""Comparisons: who does how well in which world, with intervals, tables, pictures and a report."""
