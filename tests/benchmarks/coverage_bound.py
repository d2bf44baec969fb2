"""An upper bound of maximum coverage: the Lagrangian dual of its linear relaxation, by subgradients.

Maximum coverage chooses n of m candidates so that the elements that at least one of them holds weigh the most. Its linear relaxation lets
candidates be chosen in part: maximise ``sum p_g y_g`` with ``y_g <= sum of x_j over the candidates j that hold g``, ``sum x_j <= n`` and all between
0 and 1. With a price ``0 <= l_g <= p_g`` on each of the first inequalities the best choice is at hand, which makes

    L(l) = sum (p_g - l_g) + the n largest of (sum of l_g over what candidate j holds)

By weak duality every L(l) is at least the optimum of the relaxation, hence at least that of any choice, however long one searched for l; by strong
duality the smallest one is the optimum of the relaxation. So what reaches a share of this bound reaches that share of the relaxation.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

PATIENCE = 15
"""Steps without gain after which the step is made smaller."""

SHRINK = 0.7
"""By so much."""

LEAST_STEP = 1e-4
"""Where the search ends, of the first step."""


def relaxation_bound(
    holders: csr_array, weight: NDArray[np.float64], n: int, reached: float, most_steps: int = 5_000
) -> tuple[float, int]:
    """Return a value that no choice of `n` candidates, in part or whole, can exceed, and how many steps were made.

    Parameters
    ----------
    holders
        Which candidates hold an element, shape ``(n_elements, n_candidates)``, ones.
    weight
        Of the elements, above 0, shape ``(n_elements,)``.
    n
        Candidates that may be chosen.
    reached
        What some choice weighs, a little less than the bound will be: it sets the length of the steps (Polyak), not their truth.
    most_steps
        Steps at most.
    """
    held = holders.T.tocsr()
    m = held.shape[0]
    n = min(n, m)
    price = 0.5 * weight
    best, best_price = np.inf, price
    step, idle = 1.0, 0
    for count in range(most_steps):  # noqa: B007 - told at the end
        value = held @ price
        top = np.argpartition(value, min(m - n, m - 1))[m - n :]
        bound = float((weight - price).sum() + value[top].sum())
        idle += 1
        if bound < best - 1e-7:
            best, best_price, idle = bound, price, 0
        elif idle >= PATIENCE:
            step, price, idle = step * SHRINK, best_price, 0
            if step < LEAST_STEP:
                break
            continue
        chosen = np.zeros(m)
        chosen[top] = 1.0
        slope = holders @ chosen - 1.0
        slope[((price <= 0.0) & (slope > 0.0)) | ((price >= weight) & (slope < 0.0))] = 0.0
        along = slope * weight  # heavy elements move most
        length = float(slope @ along)
        if length <= 0.0:
            break
        price = np.clip(price - step * max(bound - reached, 1e-6) / length * along, 0.0, weight)
    return min(best, float(weight.sum())), count + 1
