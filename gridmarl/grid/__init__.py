"""The physics of the grid: the frequency of an island, the voltage along a feeder, emergencies."""
