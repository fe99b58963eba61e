"""The market: orders in, one uniform price out, everyone paid."""
