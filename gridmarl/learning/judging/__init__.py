"""How good policies are: alone, for every preference, and against each other."""
