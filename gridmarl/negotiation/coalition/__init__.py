"""The aggregator's side of an event: offers in rounds, the cheapest that suffice, and who is paid what."""
