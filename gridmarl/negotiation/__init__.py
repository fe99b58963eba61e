"""Virtual power plants made of people: fleets of prosumers, coalitions formed in rounds, payments."""
