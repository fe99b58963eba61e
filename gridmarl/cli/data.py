"""``gridmarl data``: look at a file before it is used; or make one to learn in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridmarl.cli.options import Json, in_writable
from gridmarl.cli.printing import print_json, print_tables, table_of
from gridmarl.errors import DataError

if TYPE_CHECKING:
    from gridmarl.data.table import TimeTable


def inspect_data(
    file: Annotated[Path, typer.Argument(help="A tidy CSV or Parquet, or a CSV of units.")],
    timezone: Annotated[
        str | None, typer.Option(help="IANA name, where times carry no offset, and of the days to forecast.")
    ] = None,
    forecast: Annotated[str | None, typer.Option(help="Test day-ahead forecasts of this column instead.")] = None,
    known: Annotated[
        list[str] | None, typer.Option(help="With --forecast: a column known a day ahead; may be repeated.")
    ] = None,
    year: Annotated[
        str | None, typer.Option(help="Write synthetic weather, demand and prices from this date on into FILE first.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="With --year: which of the many years.")] = 0,
    days: Annotated[int, typer.Option(help="With --year: how long it is.")] = 365,
    interval_min: Annotated[float, typer.Option(help="With --year: minutes of an interval.")] = 60.0,
    gaps: Annotated[
        str, typer.Option(help="What to do about missing values: refuse, interpolate, or hold the last one.")
    ] = "refuse",
    out: Annotated[
        Path | None, typer.Option(callback=in_writable, help="Write the table, with its gaps filled, to this file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a table: its span, interval, columns, units and gaps; or the classes of its generating units.

    Examples: gridmarl data prices.csv, gridmarl data year.parquet --year 2025-01-01 --seed 1, and
    gridmarl data torn.csv --gaps interpolate --out whole.csv.
    """
    from gridmarl.data.table import load_table
    from gridmarl.data.writing import write_table
    from gridmarl.scenario.fleet_table import is_fleet

    if known and forecast is None:
        raise DataError("--known", known, "beside --forecast COLUMN", "say which column to forecast")
    if year is not None:
        _write_year(file, year, seed, days, interval_min, timezone)
    if is_fleet(file):
        if out is not None:
            raise DataError("--out", str(out), "a table of series, which has gaps to fill", "leave it out for units")
        _show_fleet(file, as_json)
        return
    table = load_table(file, timezone=timezone, gaps=gaps)  # pyright: ignore[reportArgumentType]  # checked inside
    if out is not None:
        write_table(table, out)
    if forecast is not None:
        _show_forecast(table, forecast, timezone, known or [], as_json)
        return
    facts = {
        "source": table.source,
        "start_utc": table.start_utc.isoformat(),
        "end_utc": table.end_utc.isoformat(),
        "interval_h": table.interval_h,
        "intervals": table.intervals,
        "gaps": f"filled ({gaps})" if table.filled else "none",  # else it is refused, and told which
        **({"filled": dict(table.filled)} if table.filled else {}),
        **({"wrote": str(out)} if out is not None else {}),
    }
    columns = [
        (name, table.units[name], float(values.min()), float(values.mean()), float(values.max()))
        for name, values in table.columns.items()
    ]
    if as_json:
        names = ("column", "unit", "lowest", "mean", "highest")
        print_json({**facts, "columns": [dict(zip(names, column, strict=True)) for column in columns]})
        return
    print_tables(*(f"[bold]{name}[/bold] {value}" for name, value in facts.items()))
    rows = [(name, unit, *(f"{number:,.6g}" for number in numbers)) for name, unit, *numbers in columns]
    print_tables(table_of("\n[bold]columns[/bold]", ("column", "unit", "lowest", "mean", "highest"), rows))


def _write_year(file: Path, start: str, seed: int, days: int, interval_min: float, timezone: str | None) -> None:
    from datetime import datetime

    import numpy as np

    from gridmarl.data.writing import write_table
    from gridmarl.data.years import make_year

    try:
        begin = datetime.fromisoformat(start)
    except ValueError:
        raise DataError("--year", start, "a date such as 2025-01-01", "write year, month and day") from None
    hours = interval_min / 60.0
    table = make_year(np.random.default_rng(seed), begin, days=days, interval_h=hours, timezone=timezone or "UTC")
    write_table(table, file)


def _show_forecast(table: TimeTable, column: str, timezone: str | None, known: list[str], as_json: bool) -> None:
    from gridmarl.bench.progress import bar
    from gridmarl.forecasting.report import STAGES, forecast_report

    with bar(True, f"forecasting {column}", STAGES) as stage:
        found = forecast_report(table, column, timezone, known, progress=stage.advance)
    if as_json:
        print_json(found.to_dict())
        return
    head = ("forecast", "MAE", "MAPE", "pinball", "CRPS", "in 90 % band", "uncalibrated", "band's width")
    rows = [
        (
            r.forecast,
            f"{r.mae:,.4g}",
            "" if r.mape is None else f"{r.mape:.1%}",
            f"{r.pinball:,.4g}",
            f"{r.crps:,.4g}",
            f"{r.coverage:.1%}",
            f"{r.coverage_raw:.1%}",
            f"{r.width:,.4g}",
        )
        for r in found.tested.rows
    ]
    print_tables(table_of(f"[bold]{found.about()}[/bold]", head, rows))
    head = ("scenarios", "reduction", "number", "energy score", "variogram score", "CVaR bias")
    rows = [
        (r.dependence, r.reduction, f"{r.scenarios}", f"{r.energy:,.4g}", f"{r.variogram:,.4g}", f"{r.cvar_bias:+,.3g}")
        for r in found.scenarios
    ]
    print_tables(
        table_of("\n[bold]scenarios around the last of these; CVaR of the day's mean, worst 20 %[/bold]", head, rows)
    )


def _show_fleet(file: Path, as_json: bool) -> None:
    from gridmarl.scenario.fleet import Fleet

    classes = Fleet(file=file).classes()
    if as_json:
        print_json({name: known._asdict() for name, known in classes.items()})
        return
    head = ("class", "units", "MW", "$/MWh at full load", "kg CO2/MWh", "worst error of the cost")
    rows = [
        (
            name,
            f"{known.units}",
            f"{known.capacity_mw:,.1f}",
            f"{known.lowest_per_mwh:.1f} .. {known.highest_per_mwh:.1f}",
            f"{known.co2_kg_per_mwh:.0f}",
            f"{known.worst_fit_share:.1%}",
        )
        for name, known in classes.items()
    ]
    print_tables(table_of(f"[bold]{sum(known.units for known in classes.values())} units[/bold]", head, rows))
