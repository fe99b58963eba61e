"""Four algorithms, each a file in its paper's symbols, and a market whose roles learn together."""
