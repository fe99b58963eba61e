"""What every method takes and gives: assets, groups, prices and their risk over a horizon; a plan and its gap."""
