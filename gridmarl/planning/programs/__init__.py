"""One owner's problem as a sparse quadratic program, and the solvers that it is handed to, alone or many at once."""
