"""Frozen descriptions of worlds: what exists, which rules hold, which randomness is drawn."""
