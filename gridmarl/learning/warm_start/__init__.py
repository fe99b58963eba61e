"""Networks that begin as a planner behaved."""
