"""What stands in which column of the arrays that the kernels work on."""

from __future__ import annotations

# Columns of ``World.rules``.
HOURS, FLOOR, CAP, VOLL, PRICING, CARBON, CARBON_STEP, LIMIT, WHOLESALE, IMPORT_FEE, EXPORT_FEE = range(11)
IMPORT_CO2, CO2_PROFILE, INTERVALS, HOUR_MEMORY, DAY_MEMORY = range(11, 16)
STABILITY_WEIGHT, COST_WEIGHT, EMISSIONS_WEIGHT, NET_LOAD, TEMPERATURE = range(16, 21)
OUT_OF_BAND, MITIGATED, DUAL, VOLTAGE_BAND, SOURCE_PU, SUPPORT_DEAD_BAND, FREQUENCY_PROFILE = range(21, 28)
RULE_COLUMNS = 28
# Columns of ``World.reserve``; the operator's five levels follow.
SPIN_SHARE, NONSPIN_SHARE, PENALTY, DURATION_H, SPIN_MIN, NONSPIN_MIN, FIRST_LEVEL = range(7)
RESERVE_RULES = FIRST_LEVEL + 5
# Columns of ``World.trip``.
TRIP_UNIT, TRIP_INTERVAL, TRIP_SUBSTEP = range(3)

# Columns of ``Rows.market``: what the public remembers of the past.
LAST_PRICE, LAG_2, LAG_3, MEAN_HOUR, MEAN_DAY, LAST_SHORTAGE, LAST_DEMAND, LAST_RENEWABLE = range(8)
LAST_CURTAILED, LAST_EMISSIONS, LAST_IMPORT, LAST_RESERVE_LEVEL, LAST_ADDER, LAST_NET_LOAD, LAST_TEMPERATURE = range(
    8, 15
)
LAST_IRRADIANCE, LAST_FREQUENCY, LAST_VOLTAGE, LAST_REQUIREMENT, LAST_RESERVE_PRICE, LAST_STAGE = range(15, 21)
MEMORY_COLUMNS = 21

# Columns of ``Rows.classes`` and the number of the operator's slots.
CLASS_OFFERED, CLASS_ACCEPTED, CLASS_VALUE = range(3)
CLASS_COLUMNS = 3
CLASS_SLOTS = 12

# Columns of ``Outcome.market``.
MARKET_NAMES = (
    "price_per_mwh",
    "price_low_per_mwh",
    "price_high_per_mwh",
    "volume_mw",
    "demand_mw",
    "unserved_mw",
    "curtailed_mw",
    "import_mw",
    "wholesale_per_mwh",
    "congestion_rent",
    "carbon_collected",
    "emissions_kg",
    "resource_cost",
    "renewable_mwh",
    "carbon_adder_per_t",
    "connection_payment",
    "fuel_cost",
    "start_cost",
    "wear_cost",
    "comfort_cost",
    "imbalance_mw",
    "imbalance_size_mw",
    "imbalance_price_per_mwh",
    "activated_mw",
    "storage_response_mw",
    "shed_mw",
    "emergency_generation_mw",
    "damping_mw",
    "kinetic_mw",
    "frequency_hz",
    "nadir_hz",
    "zenith_hz",
    "rocof_hz_per_s",
    "in_band_share",
    "emergency_stage",
    "emergency_stages",
    "voltage_low_pu",
    "voltage_high_pu",
    "spin_required_mw",
    "nonspin_required_mw",
    "spin_mw",
    "nonspin_mw",
    "spin_price_per_mwh",
    "nonspin_price_per_mwh",
    "reserve_payment",
    "marginal_co2_kg_per_mwh",
    "imbalance_account",
    "transformer_loading",
)
PRICE, LOW, HIGH, VOLUME, DEMAND, UNSERVED, CURTAILED, IMPORT, WHOLESALE_PRICE, RENT, CARBON_COLLECTED = range(11)
EMISSIONS, RESOURCE_COST, RENEWABLE_MWH, CARBON_ADDER, CONNECTION_PAYMENT, FUEL, START, WEAR, COMFORT = range(11, 20)
IMBALANCE, IMBALANCE_SIZE, IMBALANCE_PRICE, ACTIVATED, STORAGE_RESPONSE, SHED, EMERGENCY_GENERATION = range(20, 27)
DAMPED, KINETIC, FREQUENCY, NADIR, ZENITH, ROCOF, IN_BAND, STAGE, STAGES, VOLTAGE_LOW, VOLTAGE_HIGH = range(27, 38)
SPIN_REQUIRED, NONSPIN_REQUIRED, SPIN, NONSPIN, SPIN_PRICE, NONSPIN_PRICE, RESERVE_PAYMENTS = range(38, 45)
MARGINAL_CO2, IMBALANCE_ACCOUNT = range(45, 47)
TRANSFORMER_LOADING = 47

# Columns of ``Outcome.seats``: the first four, the reward and those of real time mean the same for every role. Power
# is what was delivered; less the deviation it is the schedule, which the payment is for.
POWER_MW, OFFERED_MW, PAYMENT, COST, FIFTH, REWARD, SEVENTH, EIGHTH, NINTH, TENTH = range(10)
DEVIATION_MW, IMBALANCE_PAYMENT, SPIN_MW, NONSPIN_MW, RESERVE_PAYMENT = range(10, 15)
COST_OBJECTIVE = DEVIATION_MW  # of the operator, who deviates from nothing
TRIP_ENERGY, MISSING_COST = range(15, 17)  # of storage and prosumers
SEAT_COLUMNS = 17
REAL_TIME = ("deviation_mw", "imbalance_payment", "spin_mw", "nonspin_mw", "reserve_payment")
VEHICLE = ("trip_mwh", "missing_cost")
SEAT_NAMES = {
    "generator": (
        "output_mw",
        "offered_mw",
        "revenue",
        "fuel_cost",
        "start_cost",
        "reward",
        "available_mw",
        "must_run_mw",
        "carbon_payment",
        "offer_price_per_mwh",
        *REAL_TIME,
    ),
    "storage": (
        "power_mw",
        "offered_mw",
        "arbitrage",
        "degradation",
        "bid_mw",
        "reward",
        "energy_mwh",
        "soc",
        "throughput_mwh",
        "offer_price_per_mwh",
        *REAL_TIME,
        *VEHICLE,
    ),
    "consumer": (
        "reduction_mw",
        "offered_mw",
        "saving",
        "comfort",
        "productivity",
        "reward",
        "baseline_mw",
        "unserved_mw",
        "bill",
        "rebound_bill",
        *REAL_TIME,
    ),
    "prosumer": (
        "net_mw",
        "offered_mw",
        "payment",
        "true_cost",
        "solar_mw",
        "reward",
        "load_mw",
        "battery_mw",
        "vehicle_mw",
        "bill",
        *REAL_TIME,
        *VEHICLE,
    ),
    "operator": (
        "reserve_level",
        "intervention",
        "account",
        "resource_cost",
        "emissions_kg",
        "reward",
        "unserved_mw",
        "curtailed_mw",
        "stability_penalty",
        "carbon_adder_per_t",
        "cost_objective",
        *REAL_TIME[1:],
    ),
}

FAULT_NONE, FAULT_NOT_FINITE, FAULT_RANGE, FAULT_PRICE, FAULT_WHOLE = range(5)
LEADS = 8


# Rows of ``Book.offers`` and ``Book.bids``, and of ``Book.steps``.
ORDER_PRICE, ORDER_MW, ORDER_ACCEPTED = range(3)
STEP_PRICE, STEP_MW = range(2)

# Columns of ``Book.margin``.
ACTIVATED_MW, CAP_MW = range(2)

# Columns of what was cleared jointly (env or 0, column): ``Book.outcome``, the reserve prices, then accepted MW of all
# offers and of all bids, and spin and nonspin of all sellers.
GIVEN_VOLUME, GIVEN_SPIN_PRICE, GIVEN_NONSPIN_PRICE, GIVEN_AWARDS = range(3, 7)

# Rows of ``World.limits``.
LOWEST, HIGHEST, WHOLE, FAULT = range(4)

# Columns of ``World.seat``.
CODEC, ACTION_AT, OFFER_AT, OFFERS, BID_AT, BIDS, CLASS = range(7)
SEAT_INDEX_COLUMNS = 7

# Columns of ``World.home`` and of ``Rows.home``.
HOME_SEAT, HOME_SOLAR, HOME_BATTERY, HOME_VEHICLE, HOME_LOAD = range(5)
HOME_COLUMNS = 5
HOME_NET, HOME_PROFIT = range(2)
