"""Makes the reference solution of a size of the problem with two independent solvers, and says how well they
agree.

LSODA (SciPy) at a relative tolerance of 1e-10 is kept; CVODE (scikit-sundae) at the same checks it.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks import problem
from benchmarks.peers import scikit_sundae, scipy_numba

RTOL = 1e-10
BITS = 36  # of each mantissa are kept: 1e-11, and the rest compresses


def shortened(values: np.ndarray) -> np.ndarray:
    """Values rounded to fewer bits, and what is nothing as zero."""
    mantissa, exponent = np.frexp(np.where(np.abs(values) < 1e-30, 0.0, values))
    return np.ldexp(np.round(mantissa * 2.0**BITS) / 2.0**BITS, exponent)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.make_reference", description=__doc__)
    parser.add_argument("--lesions", type=int, default=4)
    parser.add_argument("--patients", type=int, default=20)
    parser.add_argument(
        "--out", help="the file to write; only compares with the one that is there if left out"
    )
    args = parser.parse_args()
    some = problem.problem(args.patients, args.lesions)
    own = scipy_numba.solver(some)(some, RTOL)
    other = scikit_sundae.solver(some)(some, RTOL)
    print(f"{own.shape[2]} states, {len(own)} patients; LSODA against CVODE: {problem.error(other, own):.1e}")
    if args.out:
        np.savez_compressed(args.out, states=shortened(own))
    else:
        truth = problem.reference(args.lesions)[: args.patients]
        print(
            f"against the reference: LSODA {problem.error(own, truth):.1e}, CVODE "
            f"{problem.error(other, truth):.1e}"
        )


if __name__ == "__main__":
    main()
