"""The command line: names in, readable tables (or JSON) out. No logic of its own."""

from __future__ import annotations

from gridmarl.cli.app import app, main
from gridmarl.cli.auction import clear
from gridmarl.cli.bidding import bid
from gridmarl.cli.catalogue import list_names, show
from gridmarl.cli.comparison import compare
from gridmarl.cli.data import inspect_data
from gridmarl.cli.negotiation import fleet, negotiate
from gridmarl.cli.running import run
from gridmarl.cli.strategy import exploit
from gridmarl.cli.training import train
from gridmarl.cli.wishes import fetch_model, wishes

__all__ = ["app", "main"]

app.command("list")(list_names)
app.command()(show)
app.command()(clear)
app.command()(run)
app.command()(train)
app.command()(compare)
app.command()(exploit)
app.command()(bid)
app.command()(negotiate)
app.command()(fleet)
app.command("data")(inspect_data)
app.command()(wishes)
app.command("fetch-model")(fetch_model)
