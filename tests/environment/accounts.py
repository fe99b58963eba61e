"""Every number of a step, rebuilt from its orders and the settings of the world, in plain Python."""

from __future__ import annotations

import numpy as np
import pytest

from gridmarl.assets import battery, generator, load
from gridmarl.environment.compiled import arrays, columns
from gridmarl.environment.compiled.arrays import Outcome, Rows
from gridmarl.environment.core import Core
from gridmarl.grid.frequency import DEVIATION_HZ, INERTIA
from tests.environment.worlds import MONEY_TOLERANCE, POWER_TOLERANCE, TRADERS, Settings, market, seat

ENERGY_TOLERANCE = 1e-9
CROSSING = 1e-7  # $/MWh


class Interval:
    """One row's interval: what was before, what came of it, and the same again by hand."""

    def __init__(self, core: Core, before: Rows, outcome: Outcome, row: int = 0) -> None:
        self.core, self.before, self.after, self.outcome, self.row = core, before, core.rows, outcome, row
        self.scenario = core.compiled.scenario
        self.hours = self.scenario.interval_h
        self.market = market(outcome, row)
        self.price = self.market["price_per_mwh"]
        self.seats = {name: seat(core, outcome, name, row) for name in core.compiled.layout.seats}
        self.scale = max(1.0, self.market["volume_mw"])
        self.public = dict(zip(core.compiled.series.names, core.realised(row)[int(before.t[row])], strict=True))

    @property
    def traders(self) -> list[Settings]:
        """Results of all generators, batteries and loads; a home's are the sums of its parts'."""
        layout = self.core.compiled.layout
        return [self.seats[n] for n, role in zip(layout.seats, layout.roles, strict=True) if role in TRADERS]

    def near(self, value: float, what: str, scale: float = 1.0) -> None:
        """Fail unless the residual vanishes beside ``scale``."""
        assert abs(value) <= POWER_TOLERANCE * max(1.0, scale), f"{what}: residual {value:g}"

    def check(self) -> None:
        """Everything."""
        self.check_book()
        self.check_generators()
        self.check_storage()
        self.check_consumers()
        self.check_power()
        self.check_swing()
        self.check_reserve()
        self.check_money()
        self.check_cost()
        self.check_carbon()

    def check_book(self) -> None:
        """The price is one at which every order gets what it asked for, and both sides trade the volume."""
        rules, offers = self.scenario.market, arrays.book_sizes(self.core.compiled.world)[0]
        book = self.outcome.book[self.row]
        price, mw, accepted = book[:, 0], book[:, 1], book[:, 2]
        dust = POWER_TOLERANCE * self.scale * 10
        assert (mw >= -1e-12).all(), "no quantity is negative"
        assert (accepted <= mw + dust).all(), "no more is accepted than ordered"
        assert (price[mw > 0] >= rules.floor_per_mwh).all(), "no order below the floor"
        assert (price[:offers][mw[:offers] > 0] <= rules.cap_per_mwh).all(), "no offer above the cap"
        sells, buys = slice(None, offers), slice(offers, None)
        for side in (sells, buys):
            self.near(accepted[side].sum() - self.market["volume_mw"], "a side and the volume", self.scale)
        if self.market["volume_mw"] > POWER_TOLERANCE:
            some, rest = accepted > dust, mw - accepted > dust
            assert (price[sells][some[sells]] <= self.price + CROSSING).all(), "an accepted offer asks no more"
            assert (price[sells][rest[sells]] >= self.price - CROSSING).all(), "a rejected offer asks no less"
            assert (price[buys][some[buys]] >= self.price - CROSSING).all(), "an accepted bid pays no less"
            assert (price[buys][rest[buys]] <= self.price + CROSSING).all(), "a rejected bid pays no more"

    def check_generators(self) -> None:
        """Output within availability and ramps, never below must-run but at the floor; fuel, carbon, profit."""
        adder = self.market["carbon_adder_per_t"]
        for g, unit in enumerate(self.scenario.all_generators):
            was = self.before.generator[self.row, g]
            own = self.seats[unit.name]
            share = float(was[generator.ONLINE]) * (self.public[unit.availability] if unit.availability else 1.0)
            ceiling = unit.capacity_mw * share
            ramp = np.inf if unit.ramp_mw_per_h is None else unit.ramp_mw_per_h * self.hours
            low = min(max(unit.minimum_mw, was[generator.OUTPUT] - ramp), ceiling)
            high = max(low, min(ceiling, was[generator.OUTPUT] + ramp))
            output = own["output_mw"] - own["deviation_mw"]
            assert output <= high + POWER_TOLERANCE * self.scale, f"{unit.name}: {output} above {high}"
            if self.price > self.scenario.market.floor_per_mwh:
                assert output >= low - POWER_TOLERANCE * self.scale, f"{unit.name}: {output} below must-run {low}"
            self.near(own["available_mw"] - high, f"{unit.name}: available", high)
            self.near(own["must_run_mw"] - low, f"{unit.name}: must-run", low)
            delivered = own["output_mw"]
            dust = POWER_TOLERANCE * self.scale
            assert -dust <= delivered <= unit.capacity_mw + dust, f"{unit.name}: {delivered} beyond its rating"
            if share == 0.0:
                assert delivered <= dust, f"{unit.name}: off, and yet {delivered}"
            fuel = (unit.cost_per_mwh * delivered + unit.cost_per_mw2h * delivered**2) * self.hours
            carbon = adder * unit.co2_kg_per_mwh / 1000 * delivered * self.hours
            revenue = self.price * output * self.hours
            settled = own["imbalance_payment"] + own["reserve_payment"]
            turnover = abs(fuel) + abs(carbon) + abs(revenue) + abs(settled) + 1
            self.near(own["revenue"] - revenue, f"{unit.name}: revenue", turnover)
            self.near(own["fuel_cost"] - fuel, f"{unit.name}: fuel", turnover)
            self.near(own["carbon_payment"] - carbon, f"{unit.name}: carbon", turnover)
            profit = revenue + settled - fuel - carbon - own["start_cost"]
            self.near(own["reward"] - profit, f"{unit.name}: profit", turnover)

    def check_storage(self) -> None:
        """Stored energy from the power alone, its window, the rating and the ramp; wear and arbitrage."""
        for s, unit in enumerate(self.scenario.all_storage):
            was, own = self.before.battery[self.row, s], self.seats[unit.name]
            power = own["power_mw"]
            assert abs(power) <= unit.power_mw * (1 + POWER_TOLERANCE), f"{unit.name}: rating"
            change = -power * self.hours * (1 / unit.discharge_efficiency if power > 0 else unit.charge_efficiency)
            energy = was[battery.ENERGY] + change - own["trip_mwh"]
            self.near(own["energy_mwh"] - energy, f"{unit.name}: stored energy", unit.capacity_mwh)
            low, high = unit.soc_min * unit.capacity_mwh, unit.soc_max * unit.capacity_mwh
            assert low - 1e-12 <= own["energy_mwh"] <= high + 1e-12, (
                f"{unit.name}: {own['energy_mwh']} out of its window"
            )
            if unit.ramp_mw_per_h is not None:
                ramp = unit.ramp_mw_per_h * self.hours
                lowest, highest = min(was[battery.POWER] - ramp, 0), max(was[battery.POWER] + ramp, 0)
                schedule = power - own["deviation_mw"]
                assert lowest - 1e-9 <= schedule <= highest + 1e-9, f"{unit.name}: ramp"
            wear = (unit.wear_per_mwh * abs(power) + unit.wear_per_mw2h * power**2) * self.hours
            payment = self.price * (power - own["deviation_mw"]) * self.hours
            settled = own["imbalance_payment"] + own["reserve_payment"]
            ageing = own["degradation"] - wear
            if unit.cycle_cost_per_mwh == 0:
                self.near(ageing, f"{unit.name}: wear", wear)
            assert ageing >= -1e-9, f"{unit.name}: ageing by depth cannot pay"
            profit = payment + settled - own["degradation"] - own["missing_cost"]
            turnover = abs(payment) + abs(settled) + wear + own["missing_cost"]
            self.near(own["reward"] - profit, f"{unit.name}: arbitrage", turnover)

    def check_consumers(self) -> None:
        """Load with what comes back, reduction and shed within it; saving, comfort, bill; owed energy."""
        voll = self.scenario.market.voll_per_mwh
        for c, unit in enumerate(self.scenario.all_consumers):
            was, own = self.before.load[self.row, c], self.seats[unit.name]
            back = was[load.DEBT] / max(unit.rebound_h, self.hours)
            uncontrolled = unit.load_mw * self.public[unit.profile]
            baseline, reduction, shed = own["baseline_mw"], own["reduction_mw"], own["unserved_mw"]
            self.near(baseline - uncontrolled - back, f"{unit.name}: baseline", baseline)
            assert reduction <= unit.flexible_share * uncontrolled + POWER_TOLERANCE * self.scale, (
                f"{unit.name}: flexible"
            )
            assert reduction + shed <= baseline + POWER_TOLERANCE * self.scale, f"{unit.name}: reduced and shed twice"
            owed = max(was[load.DEBT] + (unit.rebound_share * reduction - back) * self.hours, 0.0)
            self.near(float(self.after.load[self.row, c, load.DEBT]) - owed, f"{unit.name}: owed energy", owed)
            scheduled = shed - self.shed_in_real_time(unit.name)
            settled = own["imbalance_payment"] + own["reserve_payment"]
            saving, comfort = self.price * reduction * self.hours, unit.true_cost_per_mwh * reduction * self.hours
            lost, repaid = voll * shed * self.hours, self.price * back * self.hours
            turnover = abs(saving) + abs(repaid) + comfort + lost + abs(settled) + abs(own["bill"]) + 1
            self.near(own["reward"] - (saving - repaid - comfort - lost + settled), f"{unit.name}: reward", turnover)
            self.near(own["bill"] - self.price * (baseline - scheduled) * self.hours, f"{unit.name}: bill", turnover)

    def shed_in_real_time(self, name: str) -> float:
        """What relays shed of a load: pro rata of what its schedule serves; from its bids in the book."""
        return self.seats[name]["unserved_mw"] - self.scheduled_shed(name)

    def scheduled_shed(self, name: str) -> float:
        """What the auction did not serve of a load, MW."""
        seats, row = self.core.compiled.world.seat, self.core.compiled.layout.index(name)
        offers = arrays.book_sizes(self.core.compiled.world)[0]
        first = offers + int(seats[row, columns.BID_AT])
        bids = self.outcome.book[self.row, first : first + int(seats[row, columns.BIDS])]
        return max(float((bids[:, 1] - bids[:, 2]).sum()), 0.0)

    def total(self, role: str, name: str) -> float:
        """Sum of a column over the seats of a role."""
        members = self.core.compiled.layout.of_role(role)
        return sum(self.seats[member][name] for member in members)

    def check_power(self) -> None:
        """Delivered: generation + discharge + import - load = what damping took and what the rotors stored."""
        into = self.total("generator", "output_mw") + self.total("storage", "power_mw") + self.market["import_mw"]
        served = self.market["demand_mw"] - self.market["unserved_mw"] - self.total("consumer", "reduction_mw")
        out = served + self.market["shed_mw"] - self.total("consumer", "deviation_mw")
        self.near(into - out - self.market["damping_mw"] - self.market["kinetic_mw"], "energy balance", self.scale)
        self.near(self.total("consumer", "baseline_mw") - self.market["demand_mw"], "demand", self.scale)
        shed = sum(self.shed_in_real_time(load.name) for load in self.scenario.all_consumers)
        self.near(shed - self.market["shed_mw"], "load shed in real time", self.scale)

    def check_swing(self) -> None:
        """The integral of the swing equation: imbalance and responses less damping turn into kinetic energy."""
        m = self.market
        moved = m["imbalance_mw"] + m["activated_mw"] + m["storage_response_mw"] + m["shed_mw"]
        moved += m["emergency_generation_mw"] - m["damping_mw"]
        if self.scenario.connection is None:
            self.near(moved - m["kinetic_mw"], "swing equation", self.scale)
            inertia = float(self.core.compiled.world.frequency[INERTIA])
            if (
                inertia > 0
                and all(self.before.generator[self.row, :, generator.ONLINE] > 0)
                and not self.scenario.trips
            ):
                swung = inertia * (self.after.grid[self.row, DEVIATION_HZ] - self.before.grid[self.row, DEVIATION_HZ])
                self.near(swung / 3600 / self.hours - m["kinetic_mw"], "kinetic energy", self.scale)
        assert m["nadir_hz"] <= m["frequency_hz"] <= m["zenith_hz"]
        assert 0 <= m["in_band_share"] <= 1 + 1e-12

    def check_reserve(self) -> None:
        """Awards within what was left of capacity; capacity payments sum to zero."""
        m = self.market
        for unit in self.scenario.all_generators:
            own = self.seats[unit.name]
            schedule = own["output_mw"] - own["deviation_mw"]
            sold = own["spin_mw"] + own["nonspin_mw"]
            assert sold <= unit.capacity_mw - schedule + POWER_TOLERANCE * self.scale, f"{unit.name}: sold twice"
        for unit in self.scenario.all_storage:
            own = self.seats[unit.name]
            schedule = own["power_mw"] - own["deviation_mw"]
            room = unit.power_mw - schedule + POWER_TOLERANCE * self.scale
            assert own["spin_mw"] + own["nonspin_mw"] <= room, f"{unit.name}: sold twice"
        payments = [own["reserve_payment"] for own in (*self.traders, self.seats["operator"])]
        self.near(sum(payments), "reserve payments", sum(map(abs, payments)))
        self.near(m["spin_mw"] - sum(own["spin_mw"] for own in self.traders), "spin", 100.0)
        if self.scenario.reserve:
            short = m["spin_required_mw"] - m["spin_mw"]
            assert short <= 1e-6 or m["spin_price_per_mwh"] == self.scenario.reserve.penalty_per_mwh

    def check_carbon(self) -> None:
        """CO2 of what was delivered, imports included."""
        emitted = sum(
            unit.co2_kg_per_mwh * self.seats[unit.name]["output_mw"] * self.hours
            for unit in self.scenario.all_generators
        )
        if connection := self.scenario.connection:
            rate = self.public[connection.co2] if connection.co2 else connection.co2_kg_per_mwh
            emitted += rate * max(self.market["import_mw"], 0.0) * self.hours
        self.near(self.market["emissions_kg"] - emitted, "CO2", emitted)

    def wholesale(self) -> tuple[float, float, float]:
        """What the outside grid is paid for the net import, the fees, and the CO2 cost of imports, in $."""
        connection = self.scenario.connection
        if connection is None:
            return 0.0, 0.0, 0.0
        offers = arrays.book_sizes(self.core.compiled.world)[0]
        bought, sold = self.outcome.book[self.row, offers - 1, 2], self.outcome.book[self.row, -1, 2]
        assert abs(bought - sold) <= connection.limit_mw * (1 + POWER_TOLERANCE), "the transformer's limit"
        net = self.market["import_mw"]
        more = net - (bought - sold)
        fees = (connection.import_fee_per_mwh * bought + connection.export_fee_per_mwh * sold) * self.hours
        fees += (connection.import_fee_per_mwh if more > 0 else connection.export_fee_per_mwh) * abs(more) * self.hours
        rate = self.public[connection.co2] if connection.co2 else connection.co2_kg_per_mwh
        carbon = self.market["carbon_adder_per_t"] * rate / 1000 * max(net, 0) * self.hours
        return self.public[connection.wholesale] * net * self.hours, fees, carbon

    def check_money(self) -> None:
        """Nothing is lost and nothing is made: seats, the outside grid, its fees and the operator's account."""
        outside, fees, carbon = self.wholesale()
        account = self.seats["operator"]["account"]
        sellers = self.total("generator", "revenue") - self.total("generator", "carbon_payment")
        loads = self.total("consumer", "saving") - self.total("consumer", "bill")
        real_time = sum(own["imbalance_payment"] + own["reserve_payment"] for own in self.traders)
        parts = [sellers, self.total("storage", "arbitrage"), loads, outside, fees, real_time, account]
        turnover = 1 + sum(abs(part) for part in parts)
        assert abs(sum(parts)) <= MONEY_TOLERANCE * turnover, (
            f"money: {sum(parts):g} of {turnover:g} is unaccounted for"
        )
        rent, collected = self.market["congestion_rent"], self.market["carbon_collected"]
        settled = self.seats["operator"]["imbalance_payment"] + self.seats["operator"]["reserve_payment"]
        self.near(account - rent - collected - settled, "operator's account", turnover)
        self.near(collected - self.total("generator", "carbon_payment") - carbon, "carbon collected", turnover)
        if self.scenario.connection and not self.import_is_capped():
            assert rent >= -MONEY_TOLERANCE * turnover, "congestion rent is never negative"

    def import_is_capped(self) -> bool:
        """Whether wholesale, fee and carbon together pass the cap, so that imports are offered below their cost."""
        offers = arrays.book_sizes(self.core.compiled.world)[0]
        return bool(self.outcome.book[self.row, offers - 1, 0] >= self.scenario.market.cap_per_mwh)

    def check_cost(self) -> None:
        """Resource cost at true cost, without transfers; the operator's reward."""
        m, operator = self.market, self.seats["operator"]
        outside, _, _ = self.wholesale()
        lost = self.scenario.market.voll_per_mwh * m["unserved_mw"] * self.hours
        fuel, start = self.total("generator", "fuel_cost"), self.total("generator", "start_cost")
        wear, comfort = self.total("storage", "degradation"), self.total("consumer", "comfort")
        comfort += self.total("storage", "missing_cost")
        cost = fuel + start + wear + comfort + lost + outside
        self.near(m["resource_cost"] - cost, "resource cost", abs(fuel) + lost + abs(outside) + start + wear + comfort)
        weights = self.scenario.operator
        outside_h = (1 - m["in_band_share"]) * self.hours
        band = self.scenario.voltage.band_pu if self.scenario.voltage else 0.05
        if m["voltage_low_pu"] < 1 - band or m["voltage_high_pu"] > 1 + band:
            outside_h += self.hours
        unstable = lost + weights.out_of_band_per_h * outside_h
        cost_objective = cost - lost + m["reserve_payment"]
        reward = -(weights.stability_weight * unstable + weights.cost_weight * cost_objective)
        reward -= weights.emissions_weight * m["emissions_kg"]
        assert operator["reward"] == pytest.approx(reward, rel=1e-9, abs=1e-6)


def check_episode(core: Core, seed: int, choose: np.random.Generator, intervals: int) -> Settings:
    """Play at random and check every interval of every row."""
    from tests.environment.worlds import random_actions

    core.reset(np.arange(seed, seed + core.count, dtype=np.uint64))
    seen: Settings = {"prices": set()}
    for _ in range(intervals):
        before = core.snapshot()[0]
        outcome = core.step(random_actions(core, choose))
        for row in range(core.count):
            Interval(core, before, outcome, row).check()
            seen["prices"].add(round(float(outcome.market[row, columns.PRICE]), 3))
    return seen
