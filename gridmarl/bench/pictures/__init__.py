"""Pictures: of a comparison, the grid, a plan, a study of planners, a negotiation."""
