"""One interval of the market, stage by stage: orders, clearing, dispatch, reserve, real time, delivery, observation."""
