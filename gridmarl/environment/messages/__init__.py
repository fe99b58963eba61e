"""What the market's members tell each other in an interval: records, who announces them, and mailboxes."""
