"""What a team did in a world: the rollout, its arrays, and the score."""
