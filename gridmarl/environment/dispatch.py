"""What cleared becomes deliveries, payments, true costs and rewards; assets move on."""

from __future__ import annotations

from gridmarl.assets import battery, generator, load
from gridmarl.environment.arrays import (
    BID_AT,
    BIDS,
    CARBON_ADDER,
    CARBON_COLLECTED,
    CLASS,
    CLASS_ACCEPTED,
    CLASS_OFFERED,
    CLASS_VALUE,
    COMFORT,
    CONNECTION_PAYMENT,
    COST,
    COST_WEIGHT,
    CURTAILED,
    DEMAND,
    EIGHTH,
    EMISSIONS,
    EMISSIONS_WEIGHT,
    EXPORT_FEE,
    FIFTH,
    FUEL,
    HIGH,
    HOURS,
    IMPORT,
    IMPORT_FEE,
    LOW,
    NINTH,
    OFFER_AT,
    OFFERED_MW,
    OFFERS,
    ORDER_ACCEPTED,
    ORDER_MW,
    ORDER_PRICE,
    PAYMENT,
    POWER_MW,
    PRICE,
    RENEWABLE_MWH,
    RENT,
    RESOURCE_COST,
    REWARD,
    SEVENTH,
    STABILITY_WEIGHT,
    START,
    TENTH,
    UNSERVED,
    VOLL,
    VOLUME,
    WEAR,
    WHOLESALE,
    WHOLESALE_PRICE,
    Book,
    Rows,
    World,
)
from gridmarl.environment.bidding import KG_PER_T, import_co2
from gridmarl.kernels import inner_kernel
from gridmarl.units import Float, Int


@inner_kernel
def accepted_mw(orders: Float, first: int, count: int) -> float:
    """Accepted MW of a run of order slots."""
    total = 0.0
    for slot in range(first, first + count):
        total += orders[ORDER_ACCEPTED, slot]
    return total


@inner_kernel
def tally_class(classes: Float, seat: Int, offers: Float, accepted: float) -> float:
    """Add a seat's offers to its class; its offered MW."""
    offered, value = 0.0, 0.0
    for slot in range(seat[OFFER_AT], seat[OFFER_AT] + seat[OFFERS]):
        offered += offers[ORDER_MW, slot]
        value += offers[ORDER_PRICE, slot] * offers[ORDER_MW, slot]
    classes[seat[CLASS], CLASS_VALUE] += value
    classes[seat[CLASS], CLASS_OFFERED] += offered
    classes[seat[CLASS], CLASS_ACCEPTED] += accepted
    return offered


@inner_kernel
def mean_price(offers: Float, first: int, count: int, otherwise: float) -> float:
    """Quantity-weighted price of a run of offers."""
    mw, value = 0.0, 0.0
    for slot in range(first, first + count):
        mw += offers[ORDER_MW, slot]
        value += offers[ORDER_PRICE, slot] * offers[ORDER_MW, slot]
    return value / mw if mw > 0.0 else otherwise


@inner_kernel
def dispatch_generators(world: World, states: Float, classes: Float, book: Book, seats: Float, market: Float) -> None:
    """Output, revenue, fuel, carbon and profit of every unit."""
    hours, price = world.rules[HOURS], market[PRICE]
    for g in range(world.generator.shape[0]):
        unit, seat, state, row = world.generator[g], world.seat[g], states[g], seats[g]
        first, count = seat[OFFER_AT], seat[OFFERS]
        output = accepted_mw(book.offers, first, count)
        offered = tally_class(classes, seat, book.offers, output)
        fuel = generator.fuel_cost(unit, output, hours)
        emitted = unit[generator.CO2] * output * hours
        carbon = market[CARBON_ADDER] * emitted / KG_PER_T
        revenue = price * output * hours
        profit = revenue - fuel - row[FIFTH] - carbon
        asked = mean_price(book.offers, first + 1, count - 1, state[generator.OFFER_PRICE])
        row[POWER_MW], row[OFFERED_MW], row[PAYMENT], row[COST] = output, offered, revenue, fuel
        row[REWARD], row[SEVENTH], row[EIGHTH] = profit, book.limits[g, 1], book.limits[g, 0]
        row[NINTH], row[TENTH] = carbon, asked
        market[FUEL] += fuel
        market[START] += row[FIFTH]
        market[EMISSIONS] += emitted
        market[CARBON_COLLECTED] += carbon
        market[CURTAILED] += book.offers[ORDER_MW, first] - book.offers[ORDER_ACCEPTED, first]
        market[RENEWABLE_MWH] += unit[generator.RENEWABLE] * output * hours
        state[generator.OUTPUT], state[generator.OFFERED] = output, offered
        state[generator.OFFER_PRICE], state[generator.PROFIT] = asked, profit


@inner_kernel
def dispatch_storage(world: World, states: Float, classes: Float, book: Book, seats: Float, market: Float) -> None:
    """Power, arbitrage, wear and stored energy of every battery."""
    hours, price = world.rules[HOURS], market[PRICE]
    for s in range(world.battery.shape[0]):
        number = world.generator.shape[0] + s
        unit, seat, state, row = world.battery[s], world.seat[number], states[s], seats[number]
        sold = accepted_mw(book.offers, seat[OFFER_AT], seat[OFFERS])
        offered = tally_class(classes, seat, book.offers, sold)
        power = sold - accepted_mw(book.bids, seat[BID_AT], seat[BIDS])
        wanted = 0.0
        for slot in range(seat[BID_AT], seat[BID_AT] + seat[BIDS]):
            wanted += book.bids[ORDER_MW, slot]
        energy = battery.stored_energy(unit, state[battery.ENERGY], power, hours)
        wear = battery.wear_cost(unit, power, hours)
        payment = price * power * hours
        state[battery.ENERGY], state[battery.POWER] = energy, power
        state[battery.THROUGHPUT] += max(power, 0.0) * hours
        state[battery.PROFIT] = payment - wear
        row[POWER_MW], row[OFFERED_MW], row[PAYMENT], row[COST] = power, offered, payment, wear
        row[FIFTH], row[REWARD], row[SEVENTH] = wanted, payment - wear, energy
        row[EIGHTH], row[NINTH] = energy / unit[battery.CAPACITY], state[battery.THROUGHPUT]
        row[TENTH] = mean_price(book.offers, seat[OFFER_AT], seat[OFFERS], 0.0)
        market[WEAR] += wear


@inner_kernel
def dispatch_consumers(world: World, states: Float, classes: Float, book: Book, seats: Float, market: Float) -> None:
    """Reduction, shed load, saving, comfort and bill of every load."""
    hours, price = world.rules[HOURS], market[PRICE]
    for c in range(world.load.shape[0]):
        number = world.generator.shape[0] + world.battery.shape[0] + c
        unit, seat, state, row = world.load[c], world.seat[number], states[c], seats[number]
        bid = seat[BID_AT]
        reduction = accepted_mw(book.offers, seat[OFFER_AT], seat[OFFERS])
        offered = tally_class(classes, seat, book.offers, reduction)
        baseline = book.limits[number, 0]
        wanted = book.bids[ORDER_MW, bid] + book.bids[ORDER_MW, bid + 1]
        shed = max(wanted - accepted_mw(book.bids, bid, seat[BIDS]), 0.0)
        repaid = price * load.rebound(unit, state[load.DEBT], hours) * hours
        saving = price * reduction * hours
        comfort = unit[load.COMFORT] * reduction * hours
        lost = world.rules[VOLL] * shed * hours
        reward = saving - repaid - comfort - lost
        state[load.DEBT] = load.owed_energy(unit, state[load.DEBT], reduction, hours)
        state[load.REDUCTION], state[load.BASELINE], state[load.UNSERVED] = reduction, baseline, shed
        state[load.SAVING] = reward
        row[POWER_MW], row[OFFERED_MW], row[PAYMENT], row[COST] = reduction, offered, saving, comfort
        row[FIFTH], row[REWARD], row[SEVENTH], row[EIGHTH] = lost, reward, baseline, shed
        row[NINTH], row[TENTH] = price * (baseline - shed) * hours, repaid
        market[DEMAND] += baseline
        market[UNSERVED] += shed
        market[COMFORT] += comfort


@inner_kernel
def dispatch_connection(rules: Float, book: Book, market: Float) -> None:
    """Import (+) or export (-), what it is paid, and the congestion rent that is left for the operator."""
    profile = int(rules[WHOLESALE])
    if profile < 0:
        return
    hours, price = rules[HOURS], market[PRICE]
    bought = book.offers[ORDER_ACCEPTED, book.offers.shape[1] - 1]
    sold = book.bids[ORDER_ACCEPTED, book.bids.shape[1] - 1]
    wholesale = book.realised[profile]
    emitted = max(bought - sold, 0.0) * import_co2(rules, book.realised) * hours
    carbon = market[CARBON_ADDER] * emitted / KG_PER_T
    fees = (rules[IMPORT_FEE] * bought + rules[EXPORT_FEE] * sold) * hours
    market[IMPORT], market[WHOLESALE_PRICE] = bought - sold, wholesale
    market[CONNECTION_PAYMENT] = price * (bought - sold) * hours
    market[RENT] = market[CONNECTION_PAYMENT] - wholesale * (bought - sold) * hours - fees - carbon
    market[EMISSIONS] += emitted
    market[CARBON_COLLECTED] += carbon


@inner_kernel
def account_operator(rules: Float, market: Float, row: Float, level: int, chosen: int) -> None:
    """The operator's own row: its account, the system's cost and its reward."""
    hours = rules[HOURS]
    lost = rules[VOLL] * market[UNSERVED] * hours
    imports = market[WHOLESALE_PRICE] * market[IMPORT] * hours
    market[RESOURCE_COST] = market[FUEL] + market[START] + market[WEAR] + market[COMFORT] + lost + imports
    penalty = rules[STABILITY_WEIGHT] * lost + rules[COST_WEIGHT] * (market[RESOURCE_COST] - lost)
    row[0], row[1], row[2] = level, chosen, market[CARBON_COLLECTED] + market[RENT]
    row[COST], row[FIFTH] = market[RESOURCE_COST], market[EMISSIONS]
    row[REWARD] = -(penalty + rules[EMISSIONS_WEIGHT] * market[EMISSIONS])
    row[SEVENTH], row[EIGHTH] = market[UNSERVED], market[CURTAILED]
    row[NINTH], row[TENTH] = lost, market[CARBON_ADDER]


@inner_kernel
def dispatch(world: World, rows: Rows, b: int, book: Book, seats: Float, market: Float) -> None:
    """Settle and deliver one row at its clearing outcome."""
    market[PRICE], market[LOW], market[HIGH], market[VOLUME] = (
        book.outcome[0],
        book.outcome[1],
        book.outcome[2],
        book.outcome[3],
    )
    classes = rows.classes[b]
    classes[:, :] = 0.0
    dispatch_generators(world, rows.generator[b], classes, book, seats, market)
    dispatch_storage(world, rows.battery[b], classes, book, seats, market)
    dispatch_consumers(world, rows.load[b], classes, book, seats, market)
    dispatch_connection(world.rules, book, market)
