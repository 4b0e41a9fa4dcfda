"""The file of a study of cycles read."""

from __future__ import annotations

from pkpd.content import library, units
from pkpd.content.fields import SEEN, is_number
from pkpd.content.library import check_keys, check_name, raise_issues, rows, table, text, whole
from pkpd.content.toml import shown
from pkpd.errors import ContentError, Issue, NotFound, fail, nearest
from pkpd.fit.own import laid_over
from pkpd.fit.result import load_result
from pkpd.parameters.parameters import Parameters
from pkpd.study.study import Study, Sweep
from pkpd.trial.reading import load_trial
from pkpd.trial.trial import Trial

_WORDS = ("title", "text", "kind", "trial", "arm", "fit")
Found = tuple[Parameters, dict]  # a result and its account
_LIMITS = {
    "patients": (1, 100_000),
    "repeats": (1, 1000),
    "draws": (1, 10_000),
    "draws_other_links": (1, 10_000),
    "seed": (0, 2**63),
}
_DROPS = ("drop_before", "drop_after")
_MOST = 40  # cycles


def read_study(data: dict, name: str, where: str) -> Study:
    """A study from its tables; raises every issue at once."""
    issues: list[Issue] = []
    check_keys(data, ("study", "adherence", "sweeps"), where, issues)
    keys = (*_WORDS, *_LIMITS, "small", "limit", "informed", "reference")
    head = table(data.get("study"), f"{where}: study", keys, issues)
    words = {k: text(head, k, f"{where}: study", issues, need=k in _WORDS[2:]) for k in _WORDS}
    if words["kind"] not in ("", "neoadjuvant"):
        what = f"{words['kind']!r} is not a kind of study"
        issues.append(Issue(f"{where}: study.kind", what, 'write kind = "neoadjuvant"'))
    numbers = library.counts(head, _LIMITS, f"{where}: study", issues)
    adherence = table(data.get("adherence"), f"{where}: adherence", _DROPS, issues)
    drop = [_share(adherence, key, where, issues) for key in _DROPS]
    sweeps = _sweeps(data.get("sweeps"), f"{where}: sweeps", issues)
    reference, informed = _plans(head, sweeps, where, issues)
    small, limit = _limits(head, where, issues)
    trial, found = _resolve(words, where, issues)
    raise_issues(issues)
    assert trial is not None and found is not None
    return Study(
        name=name,
        title=words["title"],
        text=words["text"],
        kind=words["kind"],
        trial=trial,
        arm=words["arm"],
        fit=words["fit"],
        parameters=laid_over(trial, found[0]),
        account=found[1],
        sweeps=tuple(sweeps),
        drop=(drop[0], drop[1]),
        small=small,
        limit=limit,
        informed=informed,
        reference=reference,
        provenance=_provenance(adherence),
        **numbers,
    )


def _sweeps(value: object, place: str, issues: list[Issue]) -> list[Sweep]:
    """The sweeps of a file, each with a name of its own."""
    entries = rows(value, place, ("name", "title", "before", "after", "total"), issues)
    sweeps = [s for at, entry in entries if (s := _sweep(entry, at, issues)) is not None]
    if not value:
        issues.append(Issue(place, "holds no sweep", "add [[sweeps]] tables"))
    for twice in sorted({s.name for s in sweeps if [t.name for t in sweeps].count(s.name) > 1}):
        issues.append(Issue(place, f"two sweeps are named {twice!r}", "rename one of the two"))
    return sweeps


def _resolve(words: dict[str, str], where: str, issues: list[Issue]) -> tuple[Trial | None, Found | None]:
    """A study's trial, which holds its arm, and its fit, a result for the trial's disease and links."""
    arm, fit, trial = words["arm"], words["fit"], None
    if words["trial"]:
        try:
            trial = load_trial(words["trial"])
        except ContentError as error:
            issues += error.issues
        except NotFound:
            check_name(("trial",), words["trial"], f"{where}: study.trial", issues)
    arms = {a.name: a for a in trial.arms} if trial else {}
    if trial and arm and arm not in arms:
        issues.append(Issue(f"{where}: study.arm", f"{trial.name} has no arm {arm!r}", nearest(arm, arms)))
    elif trial and arm and not arms[arm].regimen:
        issues.append(
            Issue(f"{where}: study.arm", f"{arm!r} has no regimen to give in cycles", "name a treated arm")
        )
    if fit in library.names("fit") and fit not in library.names("result"):
        issues.append(Issue(f"{where}: study.fit", f"{fit!r} has no result yet", f"run `pkpd fit {fit}`"))
        return trial, None
    return trial, _result(fit, trial, f"{where}: study.fit", issues) if fit else None


def _result(fit: str, trial: Trial | None, where: str, issues: list[Issue]) -> Found | None:
    """The fit is a result, made for the trial's disease and for one of its links."""
    before = len(issues)
    check_name(("result",), fit, where, issues)
    if len(issues) > before:
        return None
    try:
        data = library.read("result", fit).data
        tables = [data.get(k) for k in ("parameters", "fit", "draws")]
        if not all(isinstance(t, dict) for t in tables) or not isinstance(
            data["parameters"].get("model"), str
        ):
            raise fail(where, f"{fit!r} is not a fit's result", "make one with `pkpd fit NAME`")
        found = load_result(fit)
    except ContentError as error:
        issues += error.issues
        return None
    except NotFound as error:
        issues.append(Issue(where, str(error)))
        return None
    link, own = found[1].get("link", ""), found[0].model
    disease = trial.disease.name if trial else own
    if own != disease:
        issues.append(
            Issue(where, f"{fit!r} is for {own}, but the trial has {disease}", "name a fit of this disease")
        )
    if trial and link and link not in [x.name for x in trial.treatments]:
        issues.append(
            Issue(
                where,
                f"its link {shown(link)} is not a treatment of {trial.name}",
                "name a fit of this trial",
            )
        )
    return found


def _plans(
    head: dict, sweeps: list[Sweep], where: str, issues: list[Issue]
) -> tuple[tuple[int, int], tuple[int, ...]]:
    """The plan that others are compared with, and the numbers of cycles that the trial informs."""
    reference, informed = head.get("reference", [6, 6]), head.get("informed", [])
    pairs = [[b, s.after_for(b)] for s in sweeps for b in s.before]
    if (
        not isinstance(reference, list)
        or reference not in pairs
        or not all(whole(x, 0, _MOST) for x in reference)
    ):
        issues.append(
            Issue(
                f"{where}: study.reference",
                f"{shown(reference)} is not one of the sweeps' plans",
                "write reference = [6, 6]: cycles before and after of the plan that others are compared with",
            )
        )
        reference = [0, 0]
    if not isinstance(informed, list) or not all(whole(x, 0, _MOST) for x in informed):
        issues.append(
            Issue(
                f"{where}: study.informed",
                f"{shown(informed)} is not a list of cycle numbers",
                "write informed = [0, 6]: the cycles before the operation that the trial's arms had",
            )
        )
        informed = []
    return (reference[0], reference[1]), tuple(informed)


def _share(adherence: dict, key: str, where: str, issues: list[Issue]) -> float:
    """The share of patients that leaves after each cycle, before or after the operation."""
    place, remedy = f"{where}: adherence.{key}", "write { value = SHARE, … }, from 0 to 1"
    if key not in adherence:
        issues.append(Issue(place, "is missing", remedy))
        return 0.0
    line = table(adherence[key], place, ("value", "where", "seen"), issues)
    text(line, "where", place, issues)
    if line.get("seen", "user") not in SEEN:
        issues.append(
            Issue(
                f"{place}.seen", f"{shown(line['seen'])} is not a way of seeing", "one of " + ", ".join(SEEN)
            )
        )
    value = line.get("value")
    if not is_number(value) or not 0 <= value < 1:
        what = f"{shown(value)} is not a share" if "value" in line else "gives no share"
        issues.append(Issue(place, what, remedy))
        return 0.0
    return float(value)


def _limits(head: dict, where: str, issues: list[Issue]) -> tuple[tuple[float, float], float]:
    """The diameters between which a lesion is small (mm), and the limit on treatment before the operation
    (days).
    """
    small, limit = head.get("small", ["10 mm", "15 mm"]), head.get("limit", "2 month")
    if not isinstance(small, list) or len(small) != 2 or not all(isinstance(x, str) for x in small):
        issues.append(
            Issue(
                f"{where}: study.small",
                f"{shown(small)} is not two diameters",
                'write small = ["10 mm", "15 mm"]',
            )
        )
        small = ["10 mm", "15 mm"]
    if not isinstance(limit, str):
        issues.append(
            Issue(f"{where}: study.limit", f"{shown(limit)} is not a time", 'write limit = "2 month"')
        )
        limit = "2 month"
    try:
        low, high = (units.convert(x, "mm", f"{where}: study.small") for x in small)
        days = units.convert(limit, "day", f"{where}: study.limit")
    except ContentError as error:
        issues += error.issues
        return (0.0, 0.0), 0.0
    if not 0 <= low < high:
        issues.append(
            Issue(f"{where}: study.small", f"{small[0]!r} is not below {small[1]!r}", "put the smaller first")
        )
    if not 0 < days <= 36525:
        issues.append(
            Issue(f"{where}: study.limit", f"{limit!r} is not a time above zero", 'write limit = "2 month"')
        )
    return (low, high), days


def _provenance(adherence: dict) -> tuple[tuple[str, str, str, str], ...]:
    """What the study assumes of its own: line, value, where, how seen."""
    return tuple(
        (f"adherence: {k}", f"{v['value']:g}", v.get("where", ""), v.get("seen", "user"))
        for k, v in adherence.items()
    )


def _sweep(entry: dict, where: str, issues: list[Issue]) -> Sweep | None:
    name, title = (text(entry, k, where, issues, need=k == "name") for k in ("name", "title"))
    before = entry.get("before", [])
    good = isinstance(before, list) and before and all(whole(b, 0, _MOST) for b in before)
    if not good or len(set(before)) != len(before):
        issues.append(
            Issue(
                f"{where}.before",
                f"{shown(before)} is not a list of cycle numbers",
                f"write before = [0, 1, 2], each once, at most {_MOST}",
            )
        )
        return None
    given = [k for k in ("after", "total") if k in entry]
    if len(given) != 1 or not whole(entry[given[0]], 0, _MOST):
        issues.append(
            Issue(
                where,
                "needs either after or total, a number of cycles",
                "after = 6 gives six whatever came before; total = 12 gives the rest",
            )
        )
        return None
    if "total" in entry and max(before) > entry["total"]:
        issues.append(
            Issue(
                f"{where}.before",
                f"{max(before)} cycles before are more than {entry['total']} in all",
                "lower before or raise total",
            )
        )
    return Sweep(name, title, tuple(before), entry.get("after"), entry.get("total"))
