"""One home at the table: what it owns, wishes, expects and has promised; it reads its own seat and the public feed.

Energy is looked at from both ends. Forwards, what the battery will hold at most if it stores its own surplus and gives
only what was promised; backwards, what it has to hold so that every promise can be kept. Between the two lies what it
may offer for another hour, or use itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.agents.seats import Feed, Seats, StorageSeat
from gridmarl.errors import PrivacyError
from gridmarl.negotiation.homes.fleet import ONE_WAY_EFFICIENCY, Household
from gridmarl.negotiation.homes.preferences import Assets, Preferences
from gridmarl.scenario.participants import Battery, ElectricVehicle
from gridmarl.units import KW_PER_MW, Bool, Float

CAUTION: Final = 0.9
"""Share of its expected surplus that a home counts on."""
WEAR_AT: Final = 1.0
"""Share of its rating at which a battery is taken to wear when it names a price."""
DUST_MW: Final = 1e-9
HALVINGS: Final = 40


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """What a home expects of the coming intervals; energies have one entry more, for the end."""

    price_per_mwh: Float  # (interval,) public
    refill_mwh: Float  # (interval,) into the battery, of its own surplus
    most_mwh: Float  # (interval + 1,) energy if nothing but promises is taken
    needed_mwh: Float  # (interval + 1,) energy without which a promise would break


class HomeDesk:
    """Keeps the books of one home.

    Parameters
    ----------
    seats : Seats
        A handle on this home alone.
    name : str
        Its seat.
    wishes : Preferences
        When its car leaves, and with how much, the world says; the rest is taken from here.
    cars_discharge : bool
        Whether it offers its car's energy too.
    """

    def __init__(self, seats: Seats, name: str, wishes: Preferences, cars_discharge: bool) -> None:
        if set(seats.played) != {name}:
            raise PrivacyError("handle of the home", seats.played, name, "narrow it with for_owner()")
        self.seats, self.name = seats, name
        self.home = seats.home(name).parameters
        self.battery, self.car = self.home.battery, self.home.ev
        least = max(wishes.backup_share, self.battery.soc_min) if self.battery else wishes.backup_share
        self.wishes = wishes.model_copy(update={"backup_share": least})
        self.offers_car = cars_discharge and self.car is not None
        self.promised_mw = np.zeros(seats.facts.intervals)  # of the battery
        self.promised_car_mw = np.zeros(seats.facts.intervals)
        self.outlook = Outlook(np.zeros(0), np.zeros(0), np.zeros(1), np.zeros(1))
        self.energy_mwh = 0.0
        self.car_mwh = 0.0
        self.delivered_mwh = 0.0  # of what was promised

    @property
    def backup_mwh(self) -> float:
        """What it keeps for itself."""
        return self.wishes.backup_share * self.battery.capacity_mwh if self.battery else 0.0

    def household(self) -> Household:
        """Itself as the negotiation's own menu code takes it."""
        car = self.car if self.offers_car else None
        owned = Assets(
            battery_kwh=KW_PER_MW * self.battery.capacity_mwh if self.battery else 0.0,
            battery_kw=KW_PER_MW * self.battery.power_mw if self.battery else 0.0,
            ev_kwh=KW_PER_MW * car.capacity_mwh if car else 0.0,
            ev_kw=KW_PER_MW * car.power_mw if car else 0.0,
        )
        if car is None:
            return Household(self.name, owned, self.wishes, False)
        wished = {"ev_deadline_hour": car.departure_h, "ev_target_share": car.ready / car.capacity_mwh}
        return Household(self.name, owned, self.wishes.model_copy(update=wished), True, car.arrival_h)

    def look(self, feed: Feed, price_per_mwh: Float) -> None:
        """Read its own seat, and what the public feed means for it."""
        t, hours = self.seats.interval, self.seats.facts.interval_h
        parts = self.seats.home(self.name).parts
        cell, car = parts.get("battery"), parts.get("ev")
        if isinstance(cell, StorageSeat):
            self.energy_mwh = cell.energy_mwh
            if t > 0:
                self.delivered_mwh += hours * min(max(cell.power_mw, 0.0), self.promised_mw[t - 1])
        if isinstance(car, StorageSeat):
            self.car_mwh = car.energy_mwh
        refill = self._refill(feed, hours)
        self.outlook = Outlook(price_per_mwh, refill, *self._energies(t, refill, hours))

    def look_again(self) -> None:
        """After a promise: what is left of its energy."""
        refill, hours = self.outlook.refill_mwh, self.seats.facts.interval_h
        energies = self._energies(self.seats.interval, refill, hours)
        self.outlook = Outlook(self.outlook.price_per_mwh, refill, *energies)

    def _refill(self, feed: Feed, hours: float) -> Float:
        """Energy that its surplus brings into the battery in each interval."""
        surplus = np.zeros(len(feed.mean))
        if self.home.solar:
            profile = self.home.solar.availability
            surplus += self.home.solar.capacity_mw * (feed.of(profile) if profile else 1.0)
        if self.home.load:
            surplus -= self.home.load.load_mw * feed.of(self.home.load.profile)
        if not self.battery:
            return np.zeros(len(surplus))
        power = np.clip(CAUTION * surplus, 0.0, self.battery.power_mw)
        return power * self.battery.charge_efficiency * hours

    def _energies(self, t: int, refill: Float, hours: float) -> tuple[Float, Float]:
        count, keep = len(refill), self.backup_mwh
        if not self.battery:
            return np.zeros(count + 1), np.zeros(count + 1)
        given = self.promised_mw[t : t + count] * hours / self.battery.discharge_efficiency
        stored = np.where(given > 0.0, 0.0, refill)
        full = self.battery.soc_max * self.battery.capacity_mwh
        most, needed = np.full(count + 1, self.energy_mwh), np.full(count + 1, keep)
        for k in range(count):
            most[k + 1] = min(max(full, most[k]), most[k] + stored[k]) - given[k]
        for k in range(count - 1, -1, -1):
            needed[k] = max(keep, needed[k + 1] - stored[k] + given[k])
        return most, needed

    def stored_kwh(self, first: int, last: int) -> float:
        """The battery when an event of the intervals ``[first, last)`` from now begins, as a menu reads it.

        What later promises need is not in it; and it is scaled so that a battery which loses more than the menu
        supposes offers no more than it can deliver.
        """
        if not self.battery:
            return 0.0
        spare = self._spare_mwh(first, last)
        lossy = min(self.battery.discharge_efficiency / ONE_WAY_EFFICIENCY, 1.0)
        return KW_PER_MW * (self.backup_mwh + spare * lossy)

    def _spare_mwh(self, first: int, last: int) -> float:
        """Energy in the battery that an event of the intervals ``[first, last)`` from now could take."""
        return max(self.outlook.most_mwh[first] - max(self.outlook.needed_mwh[last], self.backup_mwh), 0.0)

    def car_kwh(self, first: int) -> float:
        """The car when an event begins so many intervals from now: as it is, or as it will come home."""
        if self.car is None or not self.offers_car:
            return 0.0
        there = self.seats.presence(self.car, first + 1)
        energy = self.car_mwh
        if not there[: first + 1].all():
            leaves_with = max(self.car.ready, energy) if there[0] else energy
            energy = leaves_with - self.car.trip_mwh
        t, hours = self.seats.interval, self.seats.facts.interval_h
        energy -= float(self.promised_car_mw[t:].sum()) * hours / self.car.discharge_efficiency
        return KW_PER_MW * max(energy, self.car.soc_min * self.car.capacity_mwh)

    def asks_per_mwh(self, first: int, last: int) -> float:
        """What a MWh of an event must bring: what it wishes, costs, and would bring in another hour."""
        costs = [self.wishes.minimum_price_per_mwh]
        after = self.outlook.price_per_mwh[last:]
        if self.battery:
            costs += [self._battery_cost(last), self._elsewhere_per_mwh(first, last)]
        if self.car and self.offers_car:
            costs.append(_cycle(self.car, float(after.min()) if len(after) else self._left_per_mwh))
        return max(costs)

    @property
    def _left_per_mwh(self) -> float:
        return self.seats.facts.stored_energy_price_per_mwh

    def _elsewhere_per_mwh(self, first: int, last: int) -> float:
        """What its energy would bring in the last of the hours that it could serve instead, dearest first.

        Between two times at which sun finds no room the same energy is sold only once.
        """
        assert self.battery is not None
        look, t, n = self.outlook, self.seats.interval, last - first
        lost = np.flatnonzero(self._no_room())
        begin = int(max((k + 1 for k in lost if k < first), default=0))
        end = int(min((k for k in lost if k >= last), default=len(look.price_per_mwh)))
        spare = self._spare_mwh(first, last)
        an_hour = WEAR_AT * self.battery.power_mw * n * self.seats.facts.interval_h / self.battery.discharge_efficiency
        starts = range(begin + (first - begin) % n, end - n + 1, n)
        free = [k for k in starts if k != first and not self.promised_mw[t + k : t + k + n].any()]
        others = sorted((float(look.price_per_mwh[k : k + n].mean()) for k in free), reverse=True)
        served = max(1, int(np.ceil(spare / an_hour)))
        return others[served - 1] if served <= len(others) else 0.0

    def _no_room(self) -> Bool:
        """(interval,) whether its own sun finds the battery full then."""
        assert self.battery is not None
        full = self.battery.soc_max * self.battery.capacity_mwh
        return (self.outlook.most_mwh[1:] >= full - DUST_MW) & (self.outlook.refill_mwh > 0.0)

    def _battery_cost(self, last: int) -> float:
        """Wear, and what energy is worth so many intervals from now: sun without room, else what is left at the end."""
        assert self.battery is not None
        lost = self._no_room()[last:]
        if not lost.any():
            return _wear(self.battery) + self._left_per_mwh / self.battery.discharge_efficiency
        cheapest_sun = max(float(self.outlook.price_per_mwh[last:][lost].min()), 0.0)
        return _cycle(self.battery, min(cheapest_sun, self._left_per_mwh))

    def promise(self, first: int, last: int, battery_kw: float, car_kw: float) -> None:
        """Commit powers for the intervals ``[first, last)`` from now."""
        t = self.seats.interval
        self.promised_mw[t + first : t + last] += battery_kw / KW_PER_MW
        self.promised_car_mw[t + first : t + last] += car_kw / KW_PER_MW

    def action(self, usual: Float, blocked: bool) -> Float:
        """Battery, vehicle and flexible load now: promises first, then what it would do anyway if that leaves enough.

        Parameters
        ----------
        usual : (3,) array
            What self-consumption would do.
        blocked : bool
            Whether it will not discharge now.
        """
        t = self.seats.interval
        chosen = usual.copy()
        if self.battery:
            chosen[0] = self._battery_mw(float(usual[0]) * self.battery.power_mw, blocked) / self.battery.power_mw
        if self.car:
            promised = float(self.promised_car_mw[t])
            chosen[1] = (promised if promised > DUST_MW else -self._charging_mw()) / self.car.power_mw
        chosen[2] = float(self.promised_mw[t] + self.promised_car_mw[t] > DUST_MW)
        return np.clip(chosen, [-1.0, -1.0, 0.0], 1.0)

    def _battery_mw(self, usual_mw: float, blocked: bool) -> float:
        assert self.battery is not None
        t, hours = self.seats.interval, self.seats.facts.interval_h
        promised = float(self.promised_mw[t])
        if usual_mw <= 0.0 and promised <= DUST_MW:
            return usual_mw
        out = self.battery.discharge_efficiency / hours
        kept = self.outlook.needed_mwh[1] if len(self.outlook.needed_mwh) > 1 else self.backup_mwh
        free = max(self.energy_mwh - max(kept, self.backup_mwh), 0.0) * out
        if blocked or not self._worth_it():
            free = 0.0
        wanted = max(promised, min(usual_mw, free))
        return min(wanted, max(self.energy_mwh - self.backup_mwh, 0.0) * out)

    def _worth_it(self) -> bool:
        """Whether serving its own load now saves more than the energy and the wear are worth."""
        connection, prices = self.seats.facts.connection, self.outlook.price_per_mwh
        bought = float(prices[0]) + (connection.import_fee_per_mwh if connection else 0.0)
        return bought >= max(self._battery_cost(1), self._elsewhere_per_mwh(0, 1))

    def _charging_mw(self) -> float:
        """Charging now, of the cheapest way to be ready in time (its own wear and the public forecast of prices)."""
        assert self.car is not None
        there = self.seats.presence(self.car, len(self.outlook.price_per_mwh))[:-1]
        missing = self.car.ready - self.car_mwh
        if not len(there) or not there[0]:
            return 0.0
        stay = int(np.argmin(there)) if not there.all() else len(there)
        hours = self.seats.facts.interval_h
        t, prices = self.seats.interval, self.outlook.price_per_mwh[:stay]
        promised = self.promised_car_mw[t : t + stay]
        missing += float(promised.sum()) * hours / self.car.discharge_efficiency
        if missing <= 0.0:
            return 0.0
        most = np.where(promised > DUST_MW, 0.0, self.car.power_mw)
        return float(cheapest(prices, most, missing / (self.car.charge_efficiency * hours), self.car.wear_per_mw2h)[0])


def cheapest(price_per_mwh: Float, most_mw: Float, total_mw: float, wear_per_mw2h: float) -> Float:
    """Powers that sum to a total and cost least: minimise sum p_t x_t + k x_t², 0 <= x_t <= most_t.

    The marginal cost p_t + 2 k x_t is the same wherever x_t is inside its bounds; that level is found by halving. With
    hardly any k the cheapest intervals fill up first. More than fits is cut to what does.

    Parameters
    ----------
    price_per_mwh, most_mw : (interval,) array
    total_mw : float
    wear_per_mw2h : float
        k, $/(MW² h).
    """
    total = min(total_mw, float(most_mw.sum()))
    slope = 2.0 * max(wear_per_mw2h, 1e-3)
    low, high = float(price_per_mwh.min()), float((price_per_mwh + slope * most_mw).max())
    for _ in range(HALVINGS):
        level = (low + high) / 2.0
        filled = np.clip((level - price_per_mwh) / slope, 0.0, most_mw)
        low, high = (level, high) if filled.sum() < total else (low, level)
    return np.clip((high - price_per_mwh) / slope, 0.0, most_mw)


def narrowed(desk: HomeDesk, minimum_price_per_mwh: float) -> Household:
    """The home with the price that it asks for one event."""
    home = desk.household()
    wished = home.preferences.model_copy(update={"minimum_price_per_mwh": minimum_price_per_mwh})
    return home._replace(preferences=wished)


def _wear(unit: Battery | ElectricVehicle) -> float:
    return unit.wear_per_mwh + unit.wear_per_mw2h * WEAR_AT * unit.power_mw


def _cycle(unit: Battery | ElectricVehicle, energy_per_mwh: float) -> float:
    """Cost of a MWh delivered and stored again at a price."""
    return _wear(unit) + (energy_per_mwh + _wear(unit)) / (unit.charge_efficiency * unit.discharge_efficiency)
