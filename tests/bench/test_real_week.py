"""The real Californian week, played by four teams: minutes of planning, hence slow."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridmarl.bench.comparison import compare

TABLE = Path(__file__).parents[2] / ".." / "shared" / "data" / "caiso_2023-08_hourly.csv"
TEAMS = ["truthful", "selfish", "admm", "central"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not TABLE.exists(), reason="needs the real prices of ../shared/data")
def test_four_teams_play_the_real_week_to_a_full_report(tmp_path, record_testsuite_property):
    found = compare("caiso-week", TEAMS, seeds=1, data=TABLE, out=tmp_path, progress=False)
    assert found.failures == ()
    assert "caiso_2023-08_hourly.csv" in found.worlds[0].source
    page = (tmp_path / "report.html").read_text()
    assert all(team in page for team in TEAMS)
    shares = {team: found.scores("caiso-week", team, "share").iloc[0] for team in TEAMS}
    for team, share in shares.items():
        record_testsuite_property(f"share of {team}", round(float(share), 4))
    assert all(share <= 1.0 + 1e-6 for share in shares.values()), "nobody beats the optimum"
    assert shares["central"] > 0.0
