"""The bound of maximum coverage against the linear relaxation that it bounds, and against every choice."""

import itertools

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import csr_array, eye_array, hstack, vstack

from tests.benchmarks.coverage_bound import relaxation_bound


def world(seed, n_elements, n_candidates, share):
    rng = np.random.default_rng(seed)
    holders = csr_array((rng.random((n_elements, n_candidates)) < share).astype(float))
    weight = rng.random(n_elements) ** 3
    reached = np.diff(holders.indptr) > 0
    return holders[np.flatnonzero(reached)], weight[reached] / weight.sum()


def best_choice(holders, weight, n):
    held = holders.toarray() > 0
    return max(weight[held[:, list(some)].any(axis=1)].sum() for some in itertools.combinations(range(held.shape[1]), n))


def relaxation(holders, weight, n):
    k, m = holders.shape
    budget = csr_array(np.concatenate((np.ones(m), np.zeros(k)))[None, :])
    answer = linprog(
        -np.concatenate((np.zeros(m), weight)),
        A_ub=vstack((hstack((-holders, eye_array(k))), budget)).tocsr(),
        b_ub=np.append(np.zeros(k), float(n)),
        bounds=(0, 1),
        method="highs",
    )
    return -answer.fun


@pytest.mark.parametrize("seed", range(4))
def test_the_bound_is_just_above_the_linear_relaxation(seed):
    holders, weight = world(seed, 400, 120, 0.05)
    for n in (3, 10, 25):
        most = relaxation(holders, weight, n)
        bound, _ = relaxation_bound(holders, weight, n, 0.98 * most)
        assert most - 1e-9 <= bound <= 1.005 * most


@pytest.mark.parametrize("reached", [0.0, 0.5, 2.0])
def test_no_choice_exceeds_the_bound_whatever_is_said_to_be_reached(reached):
    holders, weight = world(9, 60, 14, 0.15)
    for n in (1, 4, 14):
        assert relaxation_bound(holders, weight, n, reached)[0] >= best_choice(holders, weight, n) - 1e-9
