"""What a seat could still gain while the others play as they do: bids and actions tried, by who knows how much."""
