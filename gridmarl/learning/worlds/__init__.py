"""What learners live in: environments many at a time, and what is done to rewards on the way."""
