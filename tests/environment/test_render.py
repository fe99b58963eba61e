"""The picture and the text of an auction show what cleared, and nothing before there was one."""

from __future__ import annotations

import numpy as np
import pytest

from gridmarl.agents.make import parallel_env
from gridmarl.environment.render import COLOURS, colour_of, merit_order, order_seats, stacked

SHAPE = (500, 800, 3)


def played(mode: str | None, steps: int):
    """An auction after some intervals, the operator's seat played from outside."""
    env = parallel_env("auction", seats="operator", others="markup", render_mode=mode)
    env.reset(seed=3)
    for _ in range(steps):
        env.step({"operator": 0})
    return env


def test_a_picture_has_a_fixed_shape_and_changes_with_the_auction():
    env = played("rgb_array", 1)
    first = env.render()
    assert (first.shape, first.dtype) == (SHAPE, np.uint8)
    assert np.array_equal(first, env.render()), "drawing changes nothing"
    for _ in range(30):
        env.step({"operator": 0})
    assert not np.array_equal(first, env.render())


def test_before_the_first_auction_there_is_an_empty_picture_and_a_line_that_says_so():
    picture = played("rgb_array", 0).render()
    assert (picture.shape, picture.dtype) == (SHAPE, np.uint8)
    assert (picture == 255).mean() > 0.9
    assert played("ansi", 0).render() == "auction: before the first auction"


def test_who_asked_for_no_picture_is_told_why_there_is_none():
    with pytest.warns(UserWarning, match="render_mode='rgb_array' or 'ansi'"):
        assert played(None, 1).render() is None


def test_a_new_episode_forgets_the_last_auction():
    env = played("ansi", 5)
    env.reset()
    assert env.render() == "auction: before the first auction"


def test_no_figure_is_left_behind():
    import matplotlib.pyplot as plt

    played("rgb_array", 1).render()
    assert plt.get_fignums() == []


def test_the_text_names_the_seats_the_price_and_what_each_order_got():
    env = played("ansi", 12)
    text, market = env.render(), env.market()
    lines = text.splitlines()
    assert f"price {market['price_per_mwh']:.2f} $/MWh" in lines[0]
    for seat in ("coal_1", "gas_1", "gas_2", "load_1", "battery_1"):
        assert seat in text
    offers = lines[lines.index("offers") + 2 : lines.index("bids")]
    accepted = [float(line.split()[3]) for line in offers if not line.startswith(">")]
    assert sum(accepted) == pytest.approx(market["volume_mw"], abs=1e-3 * len(accepted))


def test_the_price_stands_between_the_offers_below_and_above_it():
    env = played("ansi", 12)
    lines = env.render().splitlines()
    offers = lines[lines.index("offers") + 2 : lines.index("bids")]
    mark = next(i for i, line in enumerate(offers) if line.startswith(">"))
    price = env.market()["price_per_mwh"]
    assert all(float(line.split()[1]) <= price + 0.01 for line in offers[:mark])
    assert all(float(line.split()[1]) > price for line in offers[mark + 1 :])


def test_offers_rise_bids_fall_and_empty_slots_are_left_out():
    book = np.array([[50.0, 5, 5, 1], [-100, 3, 3, 0], [20, 0, 0, 1], [30, 1, 0, 2], [40, 2, 0, 2], [999, 1e-12, 0, 0]])
    order = merit_order(book, 3, ("a", "b", "c", "d", "e", "f"), 50.0, 8.0)
    assert order.offers.seats == ("b", "a")
    assert order.bids.seats == ("e", "d")
    assert order.offers.accepted.sum() == order.volume


def test_every_slot_of_the_book_belongs_to_a_seat_and_the_connection_closes_each_side():
    core = played("ansi", 0).core
    seats = order_seats(core.compiled)
    assert len(seats) == core.empty_outcome().book.shape[1]
    assert seats[:2] == ("solar_1", "solar_1"), "must-run, then the offer above it"
    assert (seats.count("connection"), seats[-1]) == (2, "connection")


def test_each_technology_has_one_colour_and_unknown_ones_have_some():
    assert len(set(COLOURS.values())) == len(COLOURS)
    assert colour_of("fusion") == colour_of("fusion")
    assert stacked({"solar", "fusion", "coal"}) == ["coal", "solar", "fusion"]
