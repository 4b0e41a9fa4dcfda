"""Virtual patients drawn: keyed draws, so that order, chunking and worker count change nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from scipy.special import ndtr, ndtri

from pkpd.errors import fail, nearest
from pkpd.machine.doors import door
from pkpd.model import expression
from pkpd.model.model import Model
from pkpd.parameters.bind import bind, line_for
from pkpd.parameters.bounds import require
from pkpd.parameters.parameters import Parameters, Value
from pkpd.parameters.population import Population, each


def uniform(key: tuple[str, ...], n: int, first: int = 0) -> np.ndarray:
    """Uniform draws in (0, 1) of patients first, first + 1, …: a pure function of key and patient.

    Philox, counted by patient, its key a hash of the names. Salmon et al., SC11 (2011),
    doi:10.1145/2063384.2063405.
    """
    digest = hashlib.blake2b("\x1f".join(key).encode(), digest_size=16).digest()
    words = np.frombuffer(digest, dtype=np.uint64)
    skip = first % 4
    stream = np.random.Philox(key=words, counter=[first // 4, 0, 0, 0])
    raw = stream.random_raw(n + skip)[skip:]
    return (np.asarray(raw >> np.uint64(11), dtype=float) + 0.5) * 2.0**-53


@door
def draw(
    model: Model,
    parameters: Parameters,
    n: int,
    seed: int | str = 0,
    study: str = "",
    arm: str = "",
    first: int = 0,
    covariates: Mapping[str, np.ndarray | float] | None = None,
) -> Population:
    """Virtual patients of a model, drawn quantity by quantity under the key (seed, study, arm, patient).

    P_i = f(c_i) x spread(value x mixture_i) for each input (`Spread`, `Effect`), with normal scores
    z' = R^(1/2) z, R the matrix of correlations (a Gaussian copula). ContentError for a matrix that is not
    positive semidefinite, implausible covariates, values beyond a parameter's bounds.

    covariates  overrides the set's own, one number or one a patient
    """
    if n < 0:
        raise fail("draw", f"n = {n} is not a number of patients", "give a whole number")
    parameters = bind(parameters, model)
    key = (str(seed), study, arm)
    scores = _scores(parameters, key, n, first)
    features = _covariates(parameters, scores, n, covariates or {}, first)
    inputs = np.empty((n, len(model.parameters)))
    lines = {v.name: v for v in parameters.values}
    for column, p in enumerate(model.parameters):
        inputs[:, column] = _individual(p.name, lines[line_for(p.name)], features, scores, key, n, first)
    require(model.parameters, inputs, f"{parameters.where}: values", lambda i: f"patient {first + i + 1}")
    return Population(
        model.inputs, inputs, features, key, first, bounds=model.parameters, register=parameters.register
    )


@door
def typical(
    model: Model, parameters: Parameters, covariates: Mapping[str, float] | None = None
) -> Population:
    """One patient at every typical value.

    Its covariates are those given, else those at which the set's effects are 1; where effects differ on that,
    or none names a covariate, the set's own.
    """
    parameters = bind(parameters, model)
    lines = {v.name: v for v in parameters.values}
    used = [(p.name, lines[line_for(p.name)]) for p in model.parameters]
    features = {k: np.array([x]) for k, x in _reference(parameters, used).items()}
    given = _given(parameters, covariates or {}, 1)
    _require_plausible(parameters, features, mean=True)
    _require_plausible(parameters, given)
    features |= given
    values = [
        v.value
        * (1.0 if v.effect is None or _at_reference(v, name, features) else effect_of(v, name, features)[0])
        for name, v in used
    ]
    inputs = np.array([values])
    require(model.parameters, inputs, f"{parameters.where}: values", lambda i: "the typical patient")
    return Population(model.inputs, inputs, features, bounds=model.parameters, register=parameters.register)


def _reference(parameters: Parameters, used: list[tuple[str, Value]]) -> dict[str, float]:
    """The covariates of the patient that a set's values are of."""
    named: dict[str, set[float]] = {}
    for _, v in used:
        for name, value in v.effect.reference if v.effect is not None else ():
            named.setdefault(name, set()).add(value)
    named.pop("COPY", None)
    own = {c.name: c.value for c in parameters.covariates}
    return {
        **{k: min(v) for k, v in named.items()},
        **own,
        **{k: v.pop() for k, v in named.items() if len(v) == 1},
    }


def _at_reference(v: Value, name: str, features: Mapping[str, np.ndarray]) -> bool:
    """Whether a patient is one at whom an effect is 1 by definition, whatever its expression rounds to."""
    assert v.effect is not None
    return all((_copy(name) if k == "COPY" else features[k][0]) == x for k, x in v.effect.reference)


def _scores(parameters: Parameters, key: tuple[str, ...], n: int, first: int) -> dict[str, np.ndarray]:
    """A uniform score for each spread, correlated as the set says."""
    names = [v.name for v in (*parameters.values, *parameters.covariates) if v.spread is not None]
    names += [f"{v.name}:mixture" for v in parameters.values if v.spread is not None and v.spread.factors]
    scores = {name: uniform((*key, name), n, first) for name in names}
    linked = sorted({name for c in parameters.correlations for name in c.of})
    for name in linked:
        if name not in scores:
            raise fail(
                f"{parameters.where}: correlations",
                f"{name!r} has no spread to correlate",
                nearest(name, scores),
            )
    if linked:
        matrix = np.eye(len(linked))
        for c in parameters.correlations:
            i, j = linked.index(c.of[0]), linked.index(c.of[1])
            matrix[i, j] = matrix[j, i] = c.r
        values, vectors = np.linalg.eigh(matrix)
        if values.min() < -1e-9:
            raise fail(
                f"{parameters.where}: correlations",
                "cannot all hold at once (the matrix is not "
                f"positive semidefinite: eigenvalue {values.min():.3g})",
                "weaken one of them",
            )
        root = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T
        normal = [ndtri(scores[name]) for name in linked]
        # summed one by one: a matrix product rounds differently for another number of patients
        scores |= {
            name: ndtr(sum(z * root[j, i] for j, z in enumerate(normal))) for i, name in enumerate(linked)
        }
    return scores


def _covariates(
    parameters: Parameters, scores: dict, n: int, given: Mapping, first: int
) -> dict[str, np.ndarray]:
    features: dict[str, np.ndarray] = {}
    told = _given(parameters, given, n)
    _require_plausible(parameters, told, first)
    own = {c.name: c for c in parameters.covariates}
    for name in (*own, *(k for k in told if k not in own)):
        if name in told:
            features[name] = told[name]
        else:
            features[name] = _feature(parameters, own[name], features, scores, n, first)
    _require_plausible(parameters, features, first, mean=True)
    return features


def _given(parameters: Parameters, covariates: Mapping, n: int) -> dict[str, np.ndarray]:
    """The covariates that a caller gives, one number or one a patient, for each of n patients."""
    for name in covariates:
        if name not in parameters.register:
            remedy = nearest(str(name), parameters.register)
            raise fail("covariates", f"{name!r} is not in the register", remedy)
    return {name: each(value, n, f"covariates.{name}") for name, value in covariates.items()}


def _require_plausible(
    parameters: Parameters, features: Mapping[str, np.ndarray], first: int = 0, mean: bool = False
) -> None:
    """Refuses a covariate that is missing, outside its range or, unless it is a mean, none of its levels."""
    for name, values in features.items():
        c = parameters.register[name]
        bad = np.flatnonzero(~c.fits(values, mean))
        if bad.size:
            raise fail(
                f"covariates.{name}",
                f"patient {first + bad[0] + 1} has {c.amiss(float(values[bad[0]]), mean)}",
                "mend the value, or bound its spread with low and high",
            )


def _feature(
    parameters: Parameters, c: Value, features: Mapping[str, np.ndarray], scores: dict, n: int, first: int
) -> np.ndarray:
    """A covariate of every patient; one that follows others stays in the register's range, at its ends if
    need be.
    """
    values = np.full(n, c.value)
    if c.spread is not None:
        values = c.spread.quantile(scores[c.name], values)
    if c.effect is None:
        return values
    follows = effect_of(c, c.name, features, first, least=-np.inf)
    return np.clip(values * follows, parameters.register[c.name].low, parameters.register[c.name].high)


def _copy(name: str) -> int:
    return next((int(p) for p in name.split(".") if p.isdigit()), 1)


def effect_of(
    v: Value, name: str, features: Mapping[str, np.ndarray], first: int | None = None, least: float = 0.0
) -> np.ndarray:
    """The factor that covariates put on one input; refused where it is no finite number, or below `least`.

    first  the number, from 0, of the first of these patients, who are named by it in what is refused
    """
    assert v.effect is not None
    missing = [k for k, _ in v.effect.reference if k != "COPY" and k not in features]
    if missing:
        raise fail(
            f"values.{v.name}",
            f"depends on {', '.join(missing)}, which these patients lack",
            "add it to [covariates] of a parameter file",
        )
    known = {**features, "COPY": np.float64(_copy(name))}
    with np.errstate(all="ignore"):
        factor = np.atleast_1d(expression.evaluate(v.effect.tree, known, np)) + 0.0
    bad = np.flatnonzero(~(np.isfinite(factor) & (factor >= least)))
    if bad.size:
        i = int(bad[0])
        at = ", ".join(f"{k} = {np.broadcast_to(known[k], factor.shape)[i]:g}" for k, _ in v.effect.reference)
        who = "" if first is None else f"patient {first + i + 1}: "
        raise fail(
            f"values.{v.name}.effect",
            f"{who}is {factor[i]:g} where {at}",
            "an effect is a finite factor of zero or more: bound it, as in max(…, 0.1)",
        )
    return factor


def _individual(
    name: str, v: Value, features: dict, scores: dict, key: tuple[str, ...], n: int, first: int
) -> np.ndarray:
    """One input of every patient: typical value, covariates, mixture, spread between patients, between
    copies.
    """
    value = np.full(n, v.value)
    if v.spread is not None:
        if v.spread.factors:
            value = value * v.spread.component(scores[f"{v.name}:mixture"])
        value = v.spread.quantile(scores[v.name], value)
    if v.copies is not None:
        value = v.copies.quantile(uniform((*key, name, "copy"), n, first), value)
    if v.effect is not None:
        value = value * effect_of(v, name, features, first)
    return value
