"""A scenario as the few packed arrays that kernels read, and the names behind their columns, rows and fields."""
