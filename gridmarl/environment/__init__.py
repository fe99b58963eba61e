"""The market as an environment: one batched step and the shells that other people's software drives."""
