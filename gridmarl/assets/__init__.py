"""What the seats own: the physics and true costs of generators, batteries and loads, as scalar kernels."""
