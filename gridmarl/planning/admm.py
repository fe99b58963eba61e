"""Owners keep their problems and agree through a price: the sharing form of ADMM.

``min Σ_i f_i(x_i) + g(Σ_i x_i)`` (Boyd, Parikh, Chu, Peleato & Eckstein 2011, section 7.3), g being the priced coupling.
Each round, with steps weighed by their hours:

1. every owner answers ``x_i = argmin f_i(x) + rho/2 ‖x - z_i + u‖²``;
2. answers are over-relaxed, ``x̂_i = a x_i + (1 - a) z_i`` (3.4.3);
3. the coupling takes ``z̄ = argmin g(N z̄) + N rho/2 ‖z̄ - mean x̂ - u‖²`` in closed form, and ``z_i = x̂_i + z̄ - mean x̂``;
4. ``u += mean x̂ - z̄``; ``-rho u`` is the coupling's multiplier in $/MWh.

Rounds stop on the primal residual ``‖Σ x_i - N z̄‖`` (MW), the dual residual ``‖z_i' - z_i‖`` (MW, 3.3.1) and, because a large
rho alone makes that small, the same movement as a price, ``rho max |z_i' - z_i|``. rho adapts to balance the residuals (3.4.1)
for a limited number of rounds, after which convergence is that of a fixed rho.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.planning.assets import Coupling, Owner, Terminal, per_step
from gridmarl.planning.plan import Plan, Rounds
from gridmarl.planning.request import check_request
from gridmarl.planning.risk import Prices
from gridmarl.planning.worker import Message, Worker
from gridmarl.units import Float

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AdmmSettings:
    """How ADMM runs.

    Attributes
    ----------
    tolerance_mw : float, optional
        For both residuals; by default ``tolerance`` times the largest rating among the owners.
    tolerance : float
        Share of that rating; also the share of the price scale to which the price movement must fall, times 10.
    max_rounds : int
        After that the plan is marked as not converged.
    relaxation : float
        Between 1 (none) and 2.
    rho : float, optional
        First penalty in $/(MW² h); by default price scale / rating.
    rho_factor : float
        rho changes by at most this factor at once ...
    rho_range : float
        ... and stays within this factor of the first one.
    adapt_every, adapt_rounds : int
        rho may change every so many rounds, until so many have passed.
    """

    tolerance_mw: float | None = None
    tolerance: float = 1e-5
    max_rounds: int = 500
    relaxation: float = 1.6
    rho: float | None = None
    balance: float = 3.0
    rho_factor: float = 2.0
    rho_range: float = 1e4
    adapt_every: int = 5
    adapt_rounds: int = 200


class AdmmPlanner:
    """Plans again and again with the same owners, each plan starting from the last one's agreement.

    Parameters
    ----------
    settings : AdmmSettings, optional
        Tolerances, relaxation and penalty.
    """

    def __init__(self, settings: AdmmSettings | None = None) -> None:
        self.settings = settings or AdmmSettings()
        self._workers: dict[str, Worker] = {}
        self._agreement: Agreement | None = None

    def solve(
        self,
        owners: Sequence[Owner],
        step_h: Float,
        coupling: Coupling,
        prices: Prices,
        terminal: Terminal | None = None,
        elapsed_h: float = 0.0,
    ) -> Plan:
        steps, end = check_request(owners, step_h, prices), terminal or Terminal()
        start = self._start(owners, steps, prices, elapsed_h)
        for owner, share in zip(owners, start.share_mw, strict=True):
            if owner.name not in self._workers:
                self._workers[owner.name] = Worker(owner, steps, prices, end, self.settings.relaxation)
            self._workers[owner.name].renew(owner, steps, prices, end, share)
        workers=[self._workers[o.name] for o in owners]
        n=len(workers)
        rated=max(w.rated_mw for w in workers)
        scale=max(np.abs(prices.expected_per_mwh).max(),1e-9)
        st=self.settings
        tol=st.tolerance_mw or st.tolerance*rated
        rho0=st.rho or scale/rated
        rho=start.rho if start.rho>0 else rho0
        u=start.dual_mw.copy(); Z=start.share_mw.copy(); shift=np.zeros(len(steps))
        lo,up=per_step(coupling.lower_mw,len(steps)),per_step(coupling.upper_mw,len(steps))
        ps,po=per_step(coupling.shortage_per_mwh,len(steps)),per_step(coupling.surplus_per_mwh,len(steps))
        hist=[]
        for k in range(st.max_rounds):
            m=Message(shift,u,rho)
            X=np.stack([w.respond(m) for w in workers])
            Xh=st.relaxation*X+(1-st.relaxation)*Z
            mean=Xh.mean(0)
            t0=n*(mean+u)
            t=np.where(t0<lo,np.minimum(t0+ps*n/rho,lo),np.where(t0>up,np.maximum(t0-po*n/rho,up),t0))
            zbar=t/n
            shift=zbar-mean
            Zn=Xh+shift
            u=u-shift
            r=np.linalg.norm(X.sum(0)-t); d=np.linalg.norm(Zn-Z); dp=rho*np.abs(Zn-Z).max()
            Z=Zn
            obj=sum(w.objectives[-1] for w in workers)
            hist.append((r,d,dp,rho,obj))
            if r<tol and d<tol and dp<10*st.tolerance*scale: break
            if k%st.adapt_every==st.adapt_every-1 and k<st.adapt_rounds:
                f=ADAPT(X,Z,u,r,d,rho,n,st)
                f=min(max(f,1/st.rho_factor),st.rho_factor)
                if rho0/st.rho_range<=rho*f<=rho0*st.rho_range and f!=1:
                    rho*=f; u=u/f
        return hist,X,-rho*u,obj
    def _start(self,owners,steps,prices,elapsed):
        class A: pass
        a=A(); a.share_mw=np.zeros((len(owners),len(steps))); a.rho=0; a.dual_mw=np.zeros(len(steps)); return a
