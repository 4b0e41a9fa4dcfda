"""The tumour–immune core in one dimension: net growth of a tumour whose immunity has settled, against its
volume.

With lesions of one site, all alike, and treatment constant, every immune state has one value at each volume
of viable tumour (docs/explain/immune_stability.md derives it); what is left is growth less kill, and its
zeros are the equilibria of the whole system.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pkpd.model.model import Model
from pkpd.parameters.population import Population
from pkpd.study.platforms.experiment import PLACES

_HALVINGS, _NEWTON = 24, 5  # towards the effectors: bisection of their logarithm, then Newton's method
SITE = ("effector", "exhausted", "regulatory", "myeloid", "stroma", "vessels")
_LEAST, _MOST = 1e-12, 1e6  # effectors between which it looks


@dataclass(frozen=True)
class Place:
    """Where the tumour of a patient lies: the parts of the system, and how many equal lesions there are."""

    lesions: str
    count: int

    @property
    def site(self) -> str:
        return PLACES[self.lesions][0]

    @property
    def growth(self) -> str:
        return PLACES[self.lesions][1]


@dataclass(frozen=True)
class Settled:
    """What immunity settles at, each (patient, volume): growth and kill (1/day), and the states of the site
    and of blood.
    """

    growth: np.ndarray
    kill: np.ndarray
    states: dict[str, np.ndarray]

    @property
    def net(self) -> np.ndarray:
        return self.growth - self.kill


class Reduction:
    """Patients with tumour in one place and constant treatment, as their inputs say."""

    def __init__(self, people: Population, place: Place):
        self.people, self.place = people, place

    def __getitem__(self, name: str) -> np.ndarray:
        """An input, as a column beside volumes."""
        part, _, own = name.rpartition(".")
        part = {
            "site": self.place.site,
            "growth": f"{self.place.growth}.1",
            "lesion": f"{self.place.lesions}.1",
        }.get(part, part)
        return self.people[f"{part}.{own}"][:, None]

    def at(self, viable: np.ndarray) -> Settled:
        """What settles at volumes of viable tumour in the site (mL; patient, volume)."""
        states = self._surroundings(viable)
        suppression = (
            1
            + self["site.SG"] * states["regulatory"]
            + self["site.SM"] * states["myeloid"]
            + self["site.SACID"] * self._mass(viable) * (2 - states["vessels"])
        )
        entry, division, fatigue, loss, returned = self._rates(viable, states, suppression)
        effector = self._effector(entry, division, fatigue, loss)
        held = self._inhibition(effector)
        states |= {"effector": effector, "exhausted": self["site.KEX"] * held * effector / returned}
        tolerance = self["site.FGL"] * self["site.TOLERANCE"] * (1 + self["site.FGLM"] * states["myeloid"])
        lag = np.minimum(tolerance, 0.95) * (1 - self["therapy.LAG3"])
        kill = (
            self["site.KAPPA"]
            * self["biology.ANTIGEN"]
            * self["biology.MHC"]
            * effector
            / (effector + self["site.EHALF"])
            * (1 - held)
            * (1 - lag)
            / suppression
        )
        return Settled(self.growth(viable, kill, states["vessels"]), kill, states)

    def growth(self, viable: np.ndarray, kill: np.ndarray, vessels: np.ndarray) -> np.ndarray:
        """Growth rate constant (1/day) of equal lesions with the dead volume that this kill keeps up."""
        own = viable * (1 + kill / self["lesion.KD"]) / self.place.count
        room = np.log(self["growth.K"] * vessels / (own + self["growth.VMIN"]))
        return self["growth.ALPHA"] * room * (1 - self.place.count * own / self["growth.KSITE"])

    def _mass(self, viable: np.ndarray) -> np.ndarray:
        return viable / (viable + self["site.VMASS"])

    def _priming(self, viable: np.ndarray) -> np.ndarray:
        """Priming by the antigen that viable tumour releases."""
        return (
            self["systemic.NU"]
            * self["biology.ANTIGEN"]
            * (1 - self["biology.WNT"])
            * viable
            / (viable + self["systemic.BHALF"])
            / self["systemic.KA"]
        )

    def _surroundings(self, viable: np.ndarray) -> dict[str, np.ndarray]:
        """Stroma, vessels, myeloid and regulatory cells, priming and circulating cells: none of them rests on
        effectors.
        """
        mass, presence = self._mass(viable), viable / (viable + self["site.VHALF"])
        stroma = self["site.FBASE"] + mass
        myeloid = (
            self["site.KM"]
            * (self["site.MBASE"] + mass)
            * (1 + self["site.MFAT"])
            / (self["site.KM"] + self["site.KCSF"] * self["therapy.CSF1R"])
        )
        regulatory = (
            self["site.GBASE"]
            + (1 - self["site.GBASE"]) * presence * (1 + self["site.GIDO"] * mass)
            + self["site.GSTROMA"] * stroma * (1 - self["therapy.TGFB"])
        )
        regulatory = (
            self["site.KG"] * regulatory / (self["site.KG"] + self["site.KADCC"] * self["therapy.DEPLETION"])
        )
        priming = self._priming(viable)
        gain = (
            self["systemic.PIMAX"]
            * priming
            / (priming + self["systemic.AHALF"])
            * (1 + self["systemic.PCTLA4"] * self["therapy.CTLA4"])
        )
        siphon = (
            self["site.SIGMA"] * self["site.TOLERANCE"] * myeloid * viable / (viable + self["site.BSIPHON"])
        )
        return {
            "stroma": stroma,
            "myeloid": myeloid,
            "regulatory": regulatory,
            "priming": priming,
            "vessels": 1 - self["site.EVEGF"] * self["therapy.VEGF"] + 0 * viable,
            "circulating": self["systemic.KP"] * (1 + gain) / (self["systemic.KP"] + siphon),
        }

    def _rates(
        self, viable: np.ndarray, states: dict[str, np.ndarray], suppression: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """Entry; division without crowding; exhaustion that does not come back; loss of effectors, and of
        exhausted cells.
        """
        presence, pd1 = viable / (viable + self["site.VHALF"]), self["therapy.PD1"]
        seen, open_ = self["biology.ANTIGEN"] * self["biology.MHC"], 1 - self["biology.WNT"]
        barrier = 1 + self["site.SF"] * states["stroma"] * (1 - self["therapy.TGFB"])
        entry = self["site.KIN"] * states["circulating"] * presence * open_ / barrier
        division = self["site.KPRO"] * seen / (seen + self["site.ANHALF"]) * presence / suppression
        back = self["site.KRV"] * pd1 * (1 - self["site.TERMINAL"] * (1 - self["therapy.TIGIT"]))
        returned = self["site.DX"] + back
        loss = self["site.DE"] + self["site.KDEL"] * self["site.TOLERANCE"] * states["myeloid"]
        return entry, division, self["site.KEX"] * (1 - back / returned), loss, returned

    def _inhibition(self, effector: np.ndarray) -> np.ndarray:
        signal = self["biology.PDLONE"] * (1 - self["therapy.PD1"]) * (0.5 + 0.5 * effector / (effector + 1))
        return signal / (signal + self["site.SHALF"])

    def _effector(
        self, entry: np.ndarray, division: np.ndarray, fatigue: np.ndarray, loss: np.ndarray
    ) -> np.ndarray:
        """The one number of effectors at which what comes equals what goes."""

        def lost(e: np.ndarray) -> np.ndarray:  # per effector, less what divides: it rises with e
            held = self._inhibition(e)
            return fatigue * held + loss - division * (1 - held) / (1 + self["site.CROWD"] * e)

        low, high = (np.full(entry.shape, np.log(x)) for x in (_LEAST, _MOST))
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            few = lost(np.exp(middle)) * np.exp(middle) < entry
            low, high = np.where(few, middle, low), np.where(few, high, middle)
        e = np.exp((low + high) / 2)
        for _ in range(_NEWTON):
            more = e * (1 + 1e-7)
            slope = (lost(more) * more - lost(e) * e) / (more - e)
            next_ = e - (lost(e) * e - entry) / np.where(slope > 0, slope, 1.0)
            e = np.where((slope > 0) & (next_ > 0), next_, e)
        return np.where(entry > 0, e, 0.0)

    def strengths(self, viable: np.ndarray) -> np.ndarray:
        """The factor on KAPPA that makes each volume an equilibrium (patient, volume).

        There kill equals growth, which says how much dead volume there is; effectors do not rest on KAPPA.
        """
        here = self.at(viable)
        kill = np.maximum(here.growth, 0.0)
        for _ in range(60):  # growth falls as kill leaves more dead volume: the mean of two steps closes in
            kill = (kill + np.maximum(self.growth(viable, kill, here.states["vessels"]), 0.0)) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(here.kill > 0, kill / here.kill, np.inf)


def resting(reduced: Reduction, volumes: np.ndarray) -> np.ndarray:
    """How many stable equilibria each patient has: where net growth turns from above zero to below between
    volumes.
    """
    up = _up(reduced, volumes)
    return (up[:, :-1] & ~up[:, 1:]).sum(axis=1)


def _up(reduced: Reduction, volumes: np.ndarray) -> np.ndarray:
    return reduced.at(np.broadcast_to(volumes, (len(reduced.people), len(volumes)))).net > 0


def zeros(reduced: Reduction, volumes: np.ndarray, count: int = 44) -> tuple[np.ndarray, np.ndarray]:
    """Equilibria of each patient (patient, k), mL, ascending, missing beyond the last; and whether net growth
    falls there.
    """
    up = _up(reduced, volumes)
    turns = up[:, 1:] != up[:, :-1]
    most = max(int(turns.sum(axis=1).max(initial=0)), 1)
    first = np.argsort(~turns, axis=1, kind="stable")[:, :most]
    there = np.take_along_axis(turns, first, axis=1)
    falls = np.take_along_axis(up, first, axis=1)
    low, high = np.log(volumes[first]), np.log(volumes[first + 1])
    for _ in range(count):
        middle = (low + high) / 2
        same = (reduced.at(np.exp(middle)).net > 0) == falls
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return np.where(there, np.exp((low + high) / 2), np.nan), there & falls


def whole(model: Model, reduced: Reduction, viable: np.ndarray) -> np.ndarray:
    """States of the whole system (patient, state) at volumes (mL, patient) with all immunity settled;
    counters are zero.
    """
    here = reduced.at(viable[:, None])
    y = np.zeros((len(viable), len(model.states)))

    def put(name: str, value: np.ndarray) -> None:
        y[:, model.states.index(name)] = value

    each = viable / reduced.place.count
    for k in range(1, reduced.place.count + 1):
        own = f"{reduced.place.lesions}.{k}"
        resistant = reduced.people[f"{own}.R0"]
        put(f"{own}.sensitive", each * (1 - resistant))
        put(f"{own}.resistant", each * resistant)
        put(f"{own}.dead", each * here.kill[:, 0] / reduced.people[f"{own}.KD"])
    for name, value in here.states.items():
        put(
            f"systemic.{name}" if name in ("priming", "circulating") else f"{reduced.place.site}.{name}",
            value[:, 0],
        )
    for lesions in PLACES:
        if lesions != reduced.place.lesions:  # the other site rests
            rest = Reduction(reduced.people, Place(lesions, 1)).at(np.zeros((len(viable), 1)))
            for name in SITE:
                put(f"{PLACES[lesions][0]}.{name}", rest.states[name][:, 0])
    return y
