"""Random fleets, states and opportunities, far wilder than those of California; and small ones to compute by hand."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np

from gridmarl.negotiation.homes.capability import capability
from gridmarl.negotiation.homes.fleet import Household, ProsumerFleet, fleet_of
from gridmarl.negotiation.homes.living import Stored
from gridmarl.negotiation.homes.preferences import Assets, Preferences
from gridmarl.negotiation.schemas import MarketOpportunity
from gridmarl.units import Float

ZONE = timezone(timedelta(hours=-7))


def opportunity(
    hour: float = 18.0, hours: float = 2.0, mw: float = 0.01, price: float = 100.0, market: str = "energy"
) -> MarketOpportunity:
    start = datetime(2026, 8, 3, tzinfo=ZONE) + timedelta(minutes=round(60 * hour))
    return MarketOpportunity(
        opportunity_id="one",
        market_type=market,  # pyright: ignore[reportArgumentType]
        timestamp=start,
        duration_hours=hours,
        required_capacity_mw=mw,
        market_price_mwh=price,
        deadline=start - timedelta(hours=1),
    )


def home(name: str, kwh: float = 10.0, kw: float = 5.0, price: float = 50.0, comfort: float = 0.0, **wishes: object):
    """A home with a battery and few wishes."""
    preferences = {"backup_share": 0.2, "minimum_price_per_mwh": price, "comfort": comfort, **wishes}
    return Household(name, Assets(battery_kwh=kwh, battery_kw=kw), Preferences.model_validate(preferences))


def full(fleet: ProsumerFleet, hour: float = 18.0) -> Stored:
    """Everything is charged."""
    return Stored(fleet.battery_kwh.copy(), fleet.ev_kwh.copy(), hour)


def wild_fleet(rng: np.random.Generator) -> ProsumerFleet:
    """Any sizes and wishes that the schemas allow, extremes included."""
    size = int(rng.integers(1, 41))

    def some(low: float, high: float, none: float = 0.0) -> Float:
        drawn = rng.uniform(low, high, size)
        edge = rng.random(size)
        drawn = np.where(edge < 0.1, low, np.where(edge > 0.9, high, drawn))
        return np.where(rng.random(size) < none, 0.0, drawn)

    blocked = rng.uniform(0.0, 24.0, (size, 2, 2)).round(int(rng.integers(0, 3)))
    blocked[rng.random((size, 2)) < 0.85] = np.nan
    blocked[(blocked[..., 0] % 24.0) == (blocked[..., 1] % 24.0)] = np.nan  # no length, or a whole day
    return ProsumerFleet(
        names=tuple(f"p{i}" for i in range(size)),
        battery_kwh=some(0.0, 40.0, 0.3),
        battery_kw=some(0.0, 15.0),
        ev_kwh=some(0.0, 100.0, 0.4),
        ev_kw=some(0.0, 20.0),
        ev_discharges=rng.random(size) < 0.6,
        ev_arrival_hour=some(0.0, 24.0),
        pv_kw=some(0.0, 12.0),
        load_kw=some(0.0, 3.0),
        backup_share=some(0.0, 1.0),
        blocked_hours=blocked,
        ev_deadline_hour=np.where(rng.random(size) < 0.2, np.nan, some(0.0, 24.0)),
        ev_target_share=some(0.0, 1.0),
        minimum_price_per_mwh=some(0.0, 200.0),
        comfort=some(0.0, 1.0),
    )


def wild_state(rng: np.random.Generator, fleet: ProsumerFleet, hour: float) -> Stored:
    return Stored(rng.random(len(fleet)) * fleet.battery_kwh, rng.random(len(fleet)) * fleet.ev_kwh, hour)


def wild_opportunity(rng: np.random.Generator, fleet: ProsumerFleet, stored: Stored) -> MarketOpportunity:
    hour, hours = (
        stored.hour,
        float(rng.choice([0.25, 0.5, 1.0, 2.0, 3.75, 8.0, 24.0], p=[0.2, 0.2, 0.2, 0.2, 0.1, 0.05, 0.05])),
    )
    price = float(rng.choice([0.0, 20.0, 100.0, 200.0, 400.0, 1000.0]) * rng.uniform(0.5, 1.5))
    wanted = opportunity(float(hour), hours, 1.0, price, str(rng.choice(["energy", "spin", "nonspin"])))
    able = max(float(capability(fleet, stored, wanted).most_kw.sum()), 0.1) / 1000.0
    return wanted.model_copy(update={"required_capacity_mw": float(rng.uniform(0.02, 1.3)) * able})


def three() -> ProsumerFleet:
    """Three equal batteries at 30, 50 and 70 $/MWh, each able to hold 4 kW for 1.9 h."""
    return fleet_of([home("cheap", price=30.0), home("middle", price=50.0), home("dear", price=70.0)])
