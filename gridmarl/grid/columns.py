"""Columns of the arrays that frequency and emergencies share, one row an island."""

from __future__ import annotations

# ``frequency``: parameters of a world.
NOMINAL_HZ = 0
BAND_HZ = 1  # half the width of the normal band
DAMPING = 2  # D, MW/Hz
GOVERNOR_S = 3  # Tg, time constant of the governors together
SECONDARY = 4  # Ks, MW/(Hz s)
DEAD_BAND_HZ = 5  # beyond it storage responds
SUBSTEP_S = 6  # time for which an imbalance holds
INERTIA = 7  # M with all units online, MW s/Hz
DROOP = 8  # K with all units online, MW/Hz
FREQUENCY_COLUMNS = 9

# ``grid``: state, carried from interval to interval.
DEVIATION_HZ = 0  # f
GOVERNOR_MW = 1  # g
SECONDARY_MW = 2  # s
SHED_MW = 3  # c, load that relays hold off
LOST_MW = 4  # output that the schedule still counts on; whoever makes the path of imbalances keeps it
STAGE = 5
STAGE_S = 6  # the stage's clock; see `gridmarl.grid.emergency`
GENERATION_MW = 7  # n, emergency generation
ARMED = 8  # share of its limit that storage gives outright, 0..1
SHED_COUNT = 9  # blocks of load that are shed
GRID_STATE = 10

# ``result``: what happened in one interval. MWS are integrals, MW s, + injects: all but KINETIC sum up to KINETIC.
NADIR_HZ = 0
ZENITH_HZ = 1
ROCOF_HZ_PER_S = 2  # largest |df/dt|
IN_BAND_S = 3
RESPONSE_MWS = 4  # of generators: governors and secondary control, within their limits
STORAGE_MWS = 5
DAMPING_MWS = 6  # of the load: minus the integral of D f
SHED_MWS = 7
GENERATION_MWS = 8
KINETIC_MWS = 9  # M times the rise of the deviation
IMBALANCE_MWS = 10
WORST_STAGE = 11
STAGES = 12  # 1 << stage for every stage visited
RESULT_COLUMNS = 13

# ``limits``: of one interval, all >= 0.
UP_MW = 0  # of the generators' response
DOWN_MW = 1
STORAGE_UP_MW = 2
STORAGE_DOWN_MW = 3
STORAGE_DROOP = 4  # Kb, MW for each Hz beyond the dead band
GENERATION_UP_MW = 5  # of emergency generation
LOAD_MW = 6  # load of which relays can shed shares
LIMIT_COLUMNS = 7
