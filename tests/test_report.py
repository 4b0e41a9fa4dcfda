"""The report of a study: a page that stands alone, rows for machines, and nothing half-written."""

from __future__ import annotations

import math

from pkpd.parameters import load_parameters
from pkpd.study.neoadjuvant import FIGURES
from pkpd.study.run import StudyResult
from pkpd.study.sweep import load_study
from pkpd.trial.protocol import load_trial
from pkpd.trial.run import disease_model

LINKS = {"effect_site_emax": 0.0, "auc_linear": -0.9, "damage_transit": 0.6}


def _free(name, line, prior, low, high, median, at_low, at_high, contraction):
    return {"name": name, "line": line, "prior": prior, "prior_low": low, "prior_high": high, "median": median,
            "low": at_low, "high": at_high, "contraction": contraction}


ACCOUNT = {
    "name": "eortc_40983", "version": "0.1.0", "link": "effect_site_emax", "patients": 1500, "evaluations": 4210,
    "acceptance": 0.412, "autocorrelation_steps": 9.1, "best_log_posterior": -6.2, "distance_squared": 3.42,
    "start_log_posteriors": [-6.5, -6.3, -7.0, -6.4], "free": [
        _free("occult disease present", "occult.PRESENT", 0.8, 0.45, 0.95, 0.77, 0.68, 0.85, 0.62),
        _free("cells of an occult focus (median before truncation)", "occult.N0", 1e5, 1e2, 1e8, 4.1e5, 9e3, 8.2e6, 0.41),
        _free("occult log-kill a cycle, where sensitive", "occult.SENS", 0.5, 0.1, 2.4, 0.55, 0.14, 2.1, 0.11),
        _free("visible log-kill a cycle", "kill.SENS", 0.336, 0.17, 0.67, 0.33, 0.17, 0.65, 0.03)]}


def _values(before: int, after: int, shift: float) -> dict[str, tuple[float | None, float]]:
    """Made-up values and half-intervals that look like the real ones."""
    kill = 1 - math.exp(-before / 4)
    wait = 24 + (14 * (before - 1) + 26 if before else 0)
    pfs = 28.3 + 7.2 * (1 - math.exp(-(before + after) / 5)) - 0.05 * before**1.5 + shift
    return {"response": (62 * kill, 9), "vanished_all": (19 * kill, 5), "vanished_small": (55 * kill, 11),
            "resected": (83 - 0.3 * before, 3), "time_to_surgery": (wait, 3), "pfs_median": (11.5 + 0.9 * (pfs - 28.3), 3.1),
            "pfs_3y": (pfs, 6.3)}


def _rows(sweep: str, before: int, after: int, link: str) -> list[dict]:
    rows, at = [], _values(before, after, LINKS[link] if before + after else 0.0)
    for figure, (value, half) in at.items():
        gap = value - _values(6, 6, LINKS[link])[figure][0]
        rows.append({"sweep": sweep, "before": before, "after": after, "link": link, "figure": figure,
                     "unit": FIGURES[figure][0], "value": value, "low": max(value - half, 0), "high": value + half,
                     "informed": before in (0, 6), "difference": {"value": gap, "low": gap - 0.35 * abs(before + after - 12) - 0.6 * abs(before - 6) ** 0.5,
                                                                 "high": gap + 0.35 * abs(before + after - 12) + 0.6 * abs(before - 6) ** 0.5}})
    return rows


def made_up() -> StudyResult:
    """A result with realistic numbers that took no simulation."""
    study, trial = load_study("neoadjuvant_cycles"), load_trial("eortc_40983")
    parameters = load_parameters("crlm_resectable", disease_model(trial.disease))
    rows = [r for s in study.sweeps for b in s.before for x in LINKS for r in _rows(s.name, b, s.after_for(b), x)]
    alone = [r for x in LINKS for r in _rows("surgery_alone", 0, 0, x)]
    return StudyResult(study, trial, parameters, ACCOUNT, tuple(rows), tuple(alone))
