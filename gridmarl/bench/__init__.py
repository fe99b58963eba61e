"""Comparisons: who does how well in which world, with statistics, tables and plots."""
