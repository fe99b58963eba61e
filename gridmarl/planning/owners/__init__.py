"""An owner's side of every method: how it answers a price, from a problem that it keeps to itself."""
