"""Learning: recipes, replay, learners, and the trainer that feeds them."""
