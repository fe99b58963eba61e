"""Market opportunities: drawn at random for measuring, a week of Californian evenings, or read from a file.

Prices of energy follow the synthetic daily shape, or a table of real ones. No file has prices of spinning and
non-spinning reserve: they are synthetic, a share of the price of energy that is near the share which is called, and say
so in ``price_source``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import ValidationError

from gridmarl.data.synthetic import shape
from gridmarl.errors import DataError
from gridmarl.negotiation.homes.capability import capability
from gridmarl.negotiation.homes.fleet import ProsumerFleet
from gridmarl.negotiation.homes.living import Stored, usual_day
from gridmarl.negotiation.schemas import EXPECTED_CALL, MarketOpportunity, MarketType
from gridmarl.units import KW_PER_MW

if TYPE_CHECKING:
    from gridmarl.data.table import TimeTable

MARKETS: Final[tuple[MarketType, ...]] = ("energy", "spin", "nonspin")
MARKET_WEIGHTS: Final = (0.5, 0.25, 0.25)
DURATIONS_H: Final = (1.0, 2.0, 4.0)
HOURS: Final = (6, 7, 8, 15, 16, 17, 18, 19, 20, 21)
"""Of the day: the morning's and the evening's ramps, in which prices call for stores."""
LOWEST_SHARE, HIGHEST_SHARE, NEAR_LIMIT_SHARE = 0.1, 0.9, 0.81
"""Of the fleet's feasible power; the last is where the top tenth of the highest begins."""
NEAR_LIMIT: Final = 0.3
"""Share of the requirements drawn there; a few of the others fall there too."""
PRICE_SPREAD: Final = 0.3
NOTICE: Final = timedelta(hours=1)
FIRST_DAY: Final = datetime(2026, 8, 3, tzinfo=timezone(timedelta(hours=-7)))
LEAST_POWER_MW: Final = 1e-3
WEEK: Final = "caiso-week"
WEEK_STARTS: Final = datetime(2023, 8, 15, tzinfo=ZoneInfo("America/Los_Angeles"))
WEEK_EVENTS: Final[tuple[tuple[MarketType, int, float], ...]] = (
    ("nonspin", 7, 1.0),
    ("spin", 16, 2.0),
    ("energy", 19, 2.0),
)
"""Market, local hour and duration of each day's events."""
WEEK_COLUMN: Final = "lmp_dlap_sce_usd_per_mwh"
WEEK_SHARES: Final = (0.25, 0.75)
"""Of the fleet's feasible power, asked for in the week."""


def draw_opportunities(
    fleet: ProsumerFleet, count: int, seed: int, day: Sequence[Stored] | None = None
) -> tuple[MarketOpportunity, ...]:
    """Draw opportunities for measuring a fleet.

    Requirements are 10-90 % of what the fleet could hold throughout the event by its hard wishes, whatever it costs; at
    least 30 % of them lie within a tenth of that limit. Some cannot be met at floors below the market's price.

    Parameters
    ----------
    fleet : ProsumerFleet
    count : int
    seed : int
        Disjoint seeds give disjoint opportunities.
    day : sequence of Stored, optional
        The fleet's usual day by the hour, where it is known already.
    """
    rng, day = np.random.default_rng([seed, 29]), usual_day(fleet) if day is None else day
    found: list[MarketOpportunity] = []
    while len(found) < count:
        market = MARKETS[int(rng.choice(len(MARKETS), p=MARKET_WEIGHTS))]
        hour, hours = int(rng.choice(HOURS)), float(rng.choice(DURATIONS_H))
        start = FIRST_DAY + timedelta(days=len(found) % 5, hours=hour)
        share = rng.uniform(LOWEST_SHARE, HIGHEST_SHARE)
        near = rng.uniform(NEAR_LIMIT_SHARE, HIGHEST_SHARE)
        share = near if rng.random() < NEAR_LIMIT else share
        price = _price(market, hour, hours, rng)
        opportunity = _opportunity(f"{seed}-{len(found):05d}", market, start, hours, price)
        found.append(_asking(share, opportunity, fleet, day[hour]))
    return tuple(found)


def draw_week(fleet: ProsumerFleet, count: int, seed: int) -> tuple[MarketOpportunity, ...]:
    """Drawn opportunities, one a day, so that they can be negotiated in turn."""
    drawn = draw_opportunities(fleet, count, seed)
    moved: list[MarketOpportunity] = []
    for number, one in enumerate(drawn):
        start = one.timestamp + timedelta(days=number - (one.timestamp - FIRST_DAY).days)
        moved.append(one.model_copy(update={"timestamp": start, "deadline": start - NOTICE}))
    return tuple(moved)


def week_opportunities(
    fleet: ProsumerFleet, seed: int = 1, prices: TimeTable | None = None, column: str = WEEK_COLUMN
) -> tuple[MarketOpportunity, ...]:
    """Seven days of August 2023, a morning reserve, an afternoon reserve and an evening's energy each.

    Parameters
    ----------
    fleet : ProsumerFleet
        How much is asked for is a share of what it could hold on a usual day.
    seed : int
        Of these shares, and of synthetic prices.
    prices : TimeTable, optional
        A table that covers the week; else prices are synthetic.
    column : str
        Where its prices stand.

    Raises
    ------
    DataError
        The table lacks the column or the week.
    """
    rng, day = np.random.default_rng([seed, 31]), usual_day(fleet)
    found: list[MarketOpportunity] = []
    for number in range(7):
        for market, hour, hours in WEEK_EVENTS:
            start = WEEK_STARTS + timedelta(days=number, hours=hour)
            price, real = _price(market, hour, hours, rng), False
            if prices is not None:
                price = EXPECTED_CALL[market] * _mean_price(prices, column, start, hours)
                real = market == "energy"
            one = _opportunity(f"{start:%m%d-%H}-{market}", market, start, hours, max(price, 0.0), real)
            found.append(_asking(float(rng.uniform(*WEEK_SHARES)), one, fleet, day[hour]))
    return tuple(found)


def read_opportunities(path: Path) -> tuple[MarketOpportunity, ...]:
    """Opportunities from a JSON file: a list of objects with the fields of :class:`MarketOpportunity`.

    Raises
    ------
    DataError
        The file is missing, no JSON, no list, or holds something that is no opportunity; says which and why.
    """
    if not path.is_file():
        raise DataError(f"opportunities {path} do not exist", remedy=f"write JSON there, or name {WEEK!r}")
    try:
        content: object = json.loads(path.read_text("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path.name} is no JSON", str(error), "a list of opportunities", "check the file") from None
    if not isinstance(content, list) or not content:
        raise DataError(path.name, type(content).__name__, "a list of opportunities", "put them in [ ]")
    found: list[MarketOpportunity] = []
    for place, one in enumerate(cast("list[object]", content)):
        try:
            found.append(MarketOpportunity.model_validate_json(json.dumps(one)))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "the whole"
            raise DataError(f"{path.name}, opportunity {place}, {where}", None, first["msg"], "correct it") from None
    return tuple(found)


def _opportunity(
    name: str, market: MarketType, start: datetime, hours: float, price: float, real: bool = False
) -> MarketOpportunity:
    """One whose requirement is not known yet."""
    return MarketOpportunity(
        opportunity_id=name,
        market_type=market,
        timestamp=start,
        duration_hours=hours,
        required_capacity_mw=LEAST_POWER_MW,
        market_price_mwh=round(price, 2),
        deadline=start - NOTICE,
        price_source="market" if real else "synthetic",
    )


def _asking(share: float, one: MarketOpportunity, fleet: ProsumerFleet, stored: Stored) -> MarketOpportunity:
    """The opportunity with a requirement that is a share of what the fleet could hold throughout."""
    feasible = float(capability(fleet, stored, one).most_kw.sum()) / KW_PER_MW
    return one.model_copy(update={"required_capacity_mw": max(share * feasible, LEAST_POWER_MW)})


def _price(market: MarketType, hour: float, hours: float, rng: np.random.Generator) -> float:
    """A synthetic price: the daily shape's mean over the event, times a lognormal number."""
    usual = float(shape("price", np.arange(hour + 0.25, hour + hours, 0.5)).mean())
    return EXPECTED_CALL[market] * usual * float(np.exp(rng.normal(0.1, PRICE_SPREAD)))


def _mean_price(prices: TimeTable, column: str, start: datetime, hours: float) -> float:
    columns: Mapping[str, np.ndarray] = prices.columns
    if column not in columns:
        remedy = "name one of them; on the command line: --map price=COLUMN"
        raise DataError(f"{prices.source}, column of prices", column, ", ".join(columns), remedy)
    first = (start - prices.start_utc).total_seconds() / 3600.0 / prices.interval_h
    last = first + hours / prices.interval_h
    if first < 0 or last > prices.intervals:
        raise DataError(f"{prices.source} at {start}", None, "a table that covers the week", "take another")
    return float(columns[column][int(first) : max(int(np.ceil(last)), int(first) + 1)].mean())
