"""The homes at the table: what each owns, wishes, could hold for an event, and reads of nobody else."""
