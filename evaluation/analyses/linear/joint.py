"""Which events one competing model can bring about together: an integer programme over events, cut by proofs.

The programme picks the heaviest set of events that no proven conflict forbids. The set is then tried: the least loss at
which all of its events happen is a convex problem. Is it within the level set, the set is attained, and nothing is
heavier. If not, its multipliers name a part of the set and a direction in which no competing model reaches far enough;
that is proven by `LevelSet.reach` and forbids the part from then on (a logic-based Benders cut; Hooker and Ottosson,
2003).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.analyses.linear.events import Events
from evaluation.analyses.linear.level_set import LevelSet
from evaluation.tables import Floats, Integers

LARGEST = 300  # events: with more, the programme itself takes long
TOGETHER = 60  # events of a set that is tried: a larger one is far from what one model does
NODES = 200  # of one programme's search tree; what it proves until then counts, on any machine the same
BINDING = 1e-9  # of the largest multiplier: below, an event has no part in the conflict

Cut = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Joint:
    """high: proven weight of the heaviest set of events. models: (m, k) feasible coefficients met on the way.

    exact: whether the last set is attained, so that no set is heavier.
    """

    high: float
    models: Floats
    exact: bool


def heaviest(level: LevelSet, events: Events, cliques: list[list[int]], rounds: int) -> Joint | None:
    """At most `rounds` sets are tried; None where there are too many events for it."""
    size = len(events.weight)
    if not 0 < size <= LARGEST:
        return None
    cuts = [(np.array(clique), 1) for clique in cliques if len(clique) > 1]
    high, models = float(events.weight.sum()), [np.zeros((0, level.change.shape[1]))]
    for _ in range(rounds):
        chosen, bound = _programme(events.weight, cuts)
        high = min(high, bound)
        if not 0 < chosen.size <= TOGETHER:
            break
        model, multipliers = _together(level, events, chosen)
        if model is not None:
            models.append(model[None, :])
            if float(events.weight[chosen].sum()) >= high - 1e-12:
                return Joint(high, np.concatenate(models), True)
        part = None if multipliers is None else _impossible(level, events, chosen, multipliers)
        if part is None:
            break
        cuts.append((part, part.size - 1))
    return Joint(high, np.concatenate(models), False)


def conflicts(excluded: NDArray[np.bool_], cliques: list[list[int]]) -> list[list[int]]:
    """The cliques, and every pair of events that exclude each other across them."""
    home = np.empty(len(excluded), dtype=np.intp)
    for number, clique in enumerate(cliques):
        home[clique] = number
    first, second = np.nonzero(np.triu(excluded, 1))
    across = home[first] != home[second]
    return [*cliques, *np.stack([first[across], second[across]], axis=1).tolist()]


def _programme(weight: Floats, cuts: list[tuple[Cut, int]]) -> tuple[Integers, float]:
    """The heaviest set with at most `most` events of each cut, and a proven bound on its weight."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    limits = []
    if cuts:
        rows = np.repeat(np.arange(len(cuts)), [part.size for part, _ in cuts])
        columns = np.concatenate([part for part, _ in cuts])
        matrix = csr_array((np.ones(columns.size), (rows, columns)), shape=(len(cuts), weight.size))
        limits = [LinearConstraint(matrix, -np.inf, np.array([most for _, most in cuts], dtype=float))]
    found = milp(
        -weight / weight.max(),
        constraints=limits,
        integrality=np.ones(weight.size),
        bounds=Bounds(0, 1),
        options={"node_limit": NODES, "mip_rel_gap": 0.0},
    )
    if found.x is None or found.mip_dual_bound is None:
        return np.zeros(0, dtype=np.int64), float(weight.sum())
    return np.flatnonzero(found.x > 0.5), float(-found.mip_dual_bound * weight.max())


def _together(level: LevelSet, events: Events, chosen: Integers) -> tuple[Floats | None, Floats | None]:
    """Coefficients of a competing model in which all of them happen, or None; and the multipliers of the least loss."""
    from scipy.optimize import minimize, nnls

    turned, wanted = events.directions[chosen] @ level.change.T, events.thresholds[chosen]
    found = minimize(
        lambda at: float(level.loss.values(at[None, :])[0]) - level.floor,
        level.center,
        jac=lambda at: level.loss.slopes(at[None, :])[1][0],
        method="SLSQP",
        constraints=[{"type": "ineq", "fun": lambda at: turned @ at - wanted, "jac": lambda at: turned}],
        options={"maxiter": 200, "ftol": 1e-14},
    )
    at = np.asarray(found.x)
    if not np.isfinite(at).all():
        return None, None
    happens = bool((turned @ at >= wanted - 1e-9 * (1 + np.abs(wanted))).all())
    feasible = happens and float(level.loss.values(at[None, :])[0]) <= level.ceiling
    multipliers, _ = nnls(turned.T, level.loss.slopes(at[None, :])[1][0])
    return (at @ level.change if feasible else None), np.asarray(multipliers)


def _impossible(level: LevelSet, events: Events, chosen: Integers, multipliers: Floats) -> Cut | None:
    """The part of the set that no competing model brings about, if these multipliers prove it."""
    if not float(multipliers.max(initial=0.0)) > 0:
        return None
    binding = multipliers > BINDING * multipliers.max()
    part, share = chosen[binding], multipliers[binding] / multipliers.max()
    asked = float(share @ events.thresholds[part])
    bound = float(level.reach((share @ events.directions[part])[None, :]).bound[0])
    return part if bound < asked - 1e-10 * (1 + abs(asked)) else None
