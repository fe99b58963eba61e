"""What was really delivered: fuel, wear and stored energy at delivered power, payments for schedule and deviation."""

from __future__ import annotations

from gridmarl.assets import battery, degradation, generator, load
from gridmarl.environment.compiled.arrays import Book, Rows, World
from gridmarl.environment.compiled.columns import (
    ACTIVATED_MW,
    CARBON_ADDER,
    CARBON_COLLECTED,
    COMFORT,
    CONNECTION_PAYMENT,
    COST,
    DEVIATION_MW,
    DUAL,
    EIGHTH,
    EMISSIONS,
    EXPORT_FEE,
    FIFTH,
    FUEL,
    HOURS,
    IMBALANCE,
    IMBALANCE_ACCOUNT,
    IMBALANCE_PAYMENT,
    IMBALANCE_PRICE,
    IMPORT,
    IMPORT_FEE,
    NINTH,
    ORDER_ACCEPTED,
    PAYMENT,
    POWER_MW,
    PRICE,
    RENEWABLE_MWH,
    RENT,
    RESERVE_PAYMENT,
    REWARD,
    SEVENTH,
    SHED,
    START,
    TENTH,
    UNSERVED,
    VOLL,
    WEAR,
    WHOLESALE,
)
from gridmarl.environment.interval.bidding import KG_PER_T, import_co2
from gridmarl.kernels import inner_kernel
from gridmarl.units import Float


@inner_kernel
def imbalance_payment(rules: Float, market: Float, own_mw: float, activated_mw: float) -> float:
    """What a deviation receives in $ (+) for an interval.

    Activated energy settles at the imbalance price, and with a single price so does every deviation. With dual prices
    a deviation that eased the system's imbalance receives the clearing price only; the rest is the operator's.
    """
    price, hours = market[IMBALANCE_PRICE], rules[HOURS]
    if rules[DUAL] > 0.0 and own_mw * market[IMBALANCE] < 0.0:
        market[IMBALANCE_ACCOUNT] += (price - market[PRICE]) * own_mw * hours
        return (market[PRICE] * own_mw + price * activated_mw) * hours
    return price * (own_mw + activated_mw) * hours


@inner_kernel
def deliver_generators(world: World, states: Float, book: Book, seats: Float, market: Float) -> None:
    """Fuel, carbon, revenue and profit of every unit."""
    hours, price = world.rules[HOURS], market[PRICE]
    for g in range(world.generator.shape[0]):
        unit, row = world.generator[g], seats[g]
        schedule, deviation, activated = row[POWER_MW], row[DEVIATION_MW], book.margin[g, ACTIVATED_MW]
        output = schedule + deviation
        fuel = generator.fuel_cost(unit, output, hours)
        emitted = unit[generator.CO2] * output * hours
        carbon = market[CARBON_ADDER] * emitted / KG_PER_T
        revenue = price * schedule * hours
        balance = imbalance_payment(world.rules, market, deviation - activated, activated)
        profit = revenue + balance + row[RESERVE_PAYMENT] - fuel - row[FIFTH] - carbon
        row[POWER_MW], row[PAYMENT], row[COST], row[REWARD] = output, revenue, fuel, profit
        row[NINTH], row[IMBALANCE_PAYMENT] = carbon, balance
        market[FUEL] += fuel
        market[START] += row[FIFTH]
        market[EMISSIONS] += emitted
        market[CARBON_COLLECTED] += carbon
        market[RENEWABLE_MWH] += unit[generator.RENEWABLE] * output * hours
        states[g, generator.PROFIT] = profit


@inner_kernel
def deliver_storage(world: World, states: Float, seats: Float, market: Float) -> None:
    """Stored energy, wear, ageing by depth and arbitrage of every battery."""
    hours, price = world.rules[HOURS], market[PRICE]
    for s in range(world.battery.shape[0]):
        unit, state, row = world.battery[s], states[s], seats[world.generator.shape[0] + s]
        schedule, deviation = row[POWER_MW], row[DEVIATION_MW]
        power = schedule + deviation
        energy = battery.stored_energy(unit, state[battery.ENERGY], power, hours)
        wear = battery.wear_cost(unit, power, hours)
        if unit[battery.CYCLE_COST] > 0.0:
            capacity = unit[battery.CAPACITY]
            wear += degradation.cycle_cost(
                state,
                battery.CYCLES,
                state[battery.ENERGY] / capacity,
                energy / capacity,
                capacity,
                unit[battery.CYCLE_COST],
                unit[battery.CYCLE_EXPONENT],
            )
        payment = price * schedule * hours
        balance = imbalance_payment(world.rules, market, 0.0, deviation)
        profit = payment + balance + row[RESERVE_PAYMENT] - wear
        state[battery.ENERGY], state[battery.POWER] = energy, schedule
        state[battery.THROUGHPUT] += max(power, 0.0) * hours
        state[battery.PROFIT] = profit
        row[POWER_MW], row[PAYMENT], row[COST], row[REWARD] = power, payment, wear, profit
        row[SEVENTH], row[EIGHTH] = energy, energy / unit[battery.CAPACITY]
        row[NINTH], row[IMBALANCE_PAYMENT] = state[battery.THROUGHPUT], balance
        market[WEAR] += wear


@inner_kernel
def deliver_consumers(world: World, states: Float, seats: Float, market: Float) -> None:
    """Saving, comfort, lost load and bill of every load, what relays shed in real time included."""
    hours, price = world.rules[HOURS], market[PRICE]
    for c in range(world.load.shape[0]):
        unit, state = world.load[c], states[c]
        row = seats[world.generator.shape[0] + world.battery.shape[0] + c]
        reduction, baseline, scheduled_shed, own = row[POWER_MW], row[SEVENTH], row[EIGHTH], row[DEVIATION_MW]
        shed = row[FIFTH]  # in real time; the column is the cost of all lost load from here on
        repaid = price * load.rebound(unit, state[load.DEBT], hours) * hours
        saving = price * reduction * hours
        comfort = unit[load.COMFORT] * reduction * hours
        lost = world.rules[VOLL] * (scheduled_shed + shed) * hours
        balance = imbalance_payment(world.rules, market, own, shed)
        reward = saving - repaid - comfort - lost + balance + row[RESERVE_PAYMENT]
        state[load.DEBT] = load.owed_energy(unit, state[load.DEBT], reduction, hours)
        state[load.REDUCTION], state[load.BASELINE] = reduction, baseline
        state[load.UNSERVED], state[load.SAVING] = scheduled_shed + shed, reward
        row[PAYMENT], row[COST], row[FIFTH], row[REWARD] = saving, comfort, lost, reward
        row[EIGHTH], row[DEVIATION_MW], row[IMBALANCE_PAYMENT] = scheduled_shed + shed, own + shed, balance
        row[NINTH], row[TENTH] = price * (baseline - scheduled_shed) * hours, repaid
        market[COMFORT] += comfort
    market[UNSERVED] += market[SHED]


@inner_kernel
def deliver_connection(rules: Float, book: Book, market: Float) -> None:
    """What the larger grid is paid, and the congestion rent that is left for the operator."""
    profile = int(rules[WHOLESALE])
    if profile < 0:
        return
    hours, price, wholesale, deviation_mw = rules[HOURS], market[PRICE], book.realised[profile], -market[IMBALANCE]
    bought = book.offers[ORDER_ACCEPTED, book.offers.shape[1] - 1]
    sold = book.bids[ORDER_ACCEPTED, book.bids.shape[1] - 1]
    power = bought - sold + deviation_mw
    emitted = max(power, 0.0) * import_co2(rules, book.realised) * hours
    carbon = market[CARBON_ADDER] * emitted / KG_PER_T
    fees = (rules[IMPORT_FEE] * bought + rules[EXPORT_FEE] * sold) * hours
    fees += (rules[IMPORT_FEE] if deviation_mw > 0.0 else rules[EXPORT_FEE]) * abs(deviation_mw) * hours
    balance = market[IMBALANCE_PRICE] * deviation_mw * hours
    market[IMPORT] = power
    market[CONNECTION_PAYMENT] = price * (bought - sold) * hours + balance
    market[RENT] = market[CONNECTION_PAYMENT] - wholesale * power * hours - fees - carbon
    market[EMISSIONS] += emitted
    market[CARBON_COLLECTED] += carbon


@inner_kernel
def deliver(world: World, rows: Rows, b: int, book: Book, seats: Float, market: Float) -> None:
    """Settle and deliver one row."""
    deliver_generators(world, rows.generator[b], book, seats, market)
    deliver_storage(world, rows.battery[b], seats, market)
    deliver_consumers(world, rows.load[b], seats, market)
    deliver_connection(world.rules, book, market)
