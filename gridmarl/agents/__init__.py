"""Players: the Agent protocol, what a seat may know, teams, rules of thumb, stored policies."""
