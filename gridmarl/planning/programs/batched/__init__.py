"""Many owners of one structure solved at once, by whoever speaks for all of them."""
