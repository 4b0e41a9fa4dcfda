"""The file of a study of order read."""

from __future__ import annotations

from collections.abc import Iterable

from pkpd.content import library
from pkpd.content.fields import is_number
from pkpd.content.library import check_keys, check_name, raise_issues, rows, shown, table, text
from pkpd.errors import ContentError, NotFound, fail, nearest
from pkpd.fit.result import load_result, points
from pkpd.model.compose import load_model
from pkpd.model.model import Model
from pkpd.parameters.bind import bind, line_for
from pkpd.parameters.covariates import register
from pkpd.parameters.merge import merge
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.sets import load_context, load_parameters
from pkpd.study.order.interaction import REMOVAL
from pkpd.study.order.plan import Ablation, Beside, Biology, Modality, OrderStudy, Term
from pkpd.study.platforms.plan import SITES, Share, Uncertain
from pkpd.trial.lines import Reader
from pkpd.trial.reading import load_trial
from pkpd.trial.therapies import check_blocked

NO_FIT = "none"
_WORDS = ("title", "text", "kind", "system", "fit")
_TIMES = ("run_in", "visits", "horizon")
_LISTS = ("gaps", "terms_at", "reads")
_LIMITS = {"patients": (4, 10_000), "draws": (2, 10_000), "seed": (0, 2**63)}
_KEYS = {
    "biologies": ("name", "title", "contexts", "where", "seen"),
    "modalities": ("name", "title", "sets", "where", "seen"),
    "terms": ("name", "lines", "where", "seen"),
    "uncertain": ("name", "lines", "times", "where", "seen"),
}
_TABLES = {
    "patients": ("covariates", "where", "seen"),
    "ablation": ("lesion", "dies", "reach", "where", "seen"),
    "blockade": ("sets", "where", "seen"),
}
_BESIDE = ("trial", "figure", "biology")
_INJURY = "immune/local_injury"


def read_order(data: dict, name: str, where: str) -> OrderStudy:
    """A study of order from its tables; raises every issue at once."""
    reader = Reader(where, [])
    check_keys(data, ("study", "beside", *_TABLES, *_KEYS), where, reader.issues)
    head = table(
        data.get("study"),
        f"{where}: study",
        (*_WORDS, *_TIMES, *_LISTS, *_LIMITS, "sites", "least", "references"),
        reader.issues,
    )
    words = {k: text(head, k, f"{where}: study", reader.issues, need=k != "text") for k in _WORDS}
    numbers = library.counts(head, _LIMITS, f"{where}: study", reader.issues)
    check_name(("model",), words["system"], f"{where}: study.system", reader.issues)
    raise_issues(reader.issues)
    system = load_model(words["system"])
    parameters = _parameters(reader, words["fit"], system)
    biologies, modalities, terms, uncertain = (_all(reader, data, k, system) for k in _KEYS)
    laid = {"", *(name for b in biologies for name, _ in b.contexts)}
    keys = [k.partition(":")[0].rpartition("/") for k in parameters.draws]
    for line in sorted(
        {x for u in uncertain for x in u.lines} & {line for context, _, line in keys if context in laid}
    ):
        reader.add(
            "uncertain", f"{line} has draws of the fit {words['fit']!r}", "leave it out: it would vary twice"
        )
    tables = {k: _table(reader, data, k) for k in _TABLES}
    ablation = _ablation(reader, tables["ablation"], system)
    covariates = _numbers(
        reader, tables["patients"].get("covariates"), "patients.covariates", register(), "{ LESIONS = 2 }"
    )
    blockade = _numbers(
        reader, tables["blockade"].get("sets"), "blockade.sets", system.inputs, '{ "therapy.PD1" = 0.95 }'
    )
    check_blocked(dict(blockade), system, f"{reader.where}: blockade.sets", reader.issues)
    run_in, visits, horizon = (reader.every(head.get(k), f"study.{k}") for k in _TIMES)
    gaps, terms_at, reads = _weeks(reader, head)
    least, sites = (
        _share(reader, head.get("least"), "study.least"),
        _texts(reader, head, "sites", "study.sites"),
    )
    if not sites or set(sites) - set(SITES):
        reader.add(
            "study.sites",
            f"{shown(head.get('sites'))} are not sites of lesions to read",
            "some of " + ", ".join(SITES),
        )
    references = _texts(reader, head, "references", "study.references")
    beside = _beside(reader, data, [b.name for b in biologies])
    raise_issues(reader.issues)
    drawn = tuple(points(parameters, numbers.get("draws", OrderStudy.draws)))
    return OrderStudy(
        name=name,
        title=words["title"],
        text=words["text"],
        fit=words["fit"],
        system=system,
        points=drawn,
        sites=sites,
        covariates=covariates,
        ablation=ablation,
        blockade=blockade,
        biologies=biologies,
        modalities=modalities,
        terms=terms,
        uncertain=uncertain,
        gaps=gaps,
        terms_at=terms_at,
        reads=reads,
        run_in=run_in,
        visits=visits,
        horizon=horizon,
        least=least.value,
        beside=beside,
        references=references,
        provenance=_provenance(data),
        **numbers,
    )


def _parameters(reader: Reader, fit: str, system: Model) -> Parameters:
    """The system's default set, the lines of a fit's result laid over those of the same names."""
    base, place = load_parameters((), system), f"{reader.where}: study.fit"
    if fit == NO_FIT:
        return base
    if fit in library.names("fit") and fit not in library.names("result"):
        reader.add(
            "study.fit", f"{fit!r} has no result yet", f'run `pkpd fit {fit}`, or write fit = "{NO_FIT}"'
        )
        return base
    before = len(reader.issues)
    check_name(("result",), fit, place, reader.issues)
    if len(reader.issues) > before:
        return base
    try:
        found, _ = load_result(fit)
        strange = sorted({v.name for v in found.values} - {line_for(i) for i in system.inputs})
        if strange:
            raise fail(
                place,
                f"{fit!r} is a fit of {found.model}, whose line {strange[0]} {system.name} has not",
                f'name a fit of the system that {system.name} adds to, or write fit = "{NO_FIT}"',
            )
        return bind(merge(base, load_context(fit, system)), system)
    except ContentError as error:
        reader.issues += error.issues
        return base


def _all(reader: Reader, data: dict, key: str, system: Model) -> tuple:
    """The entries of one list of tables, each with a name of its own."""
    read = {"biologies": _biology, "modalities": _modality, "terms": _term, "uncertain": _uncertain}[key]
    found, names = [], []
    for at, entry in rows(data.get(key), f"{reader.where}: {key}", _KEYS[key], reader.issues):
        place = at.removeprefix(f"{reader.where}: ")
        names.append(text(entry, "name", at, reader.issues, need=True))
        if "title" in _KEYS[key]:
            text(entry, "title", at, reader.issues, need=True)
        reader.sourced(entry, place)
        found.append(read(reader, entry, place, system))
    names += [REMOVAL] if key == "terms" else []
    for twice in sorted({n for n in names if n and names.count(n) > 1}):
        reader.add(key, f"two are named {twice!r}", "rename one of the two")
    if not data.get(key) and key in ("biologies", "modalities"):
        reader.add(key, "is empty", f"add [[{key}]] tables")
    return tuple(found)


def _biology(reader: Reader, entry: dict, place: str, system: Model) -> Biology:
    found = []
    for name in _texts(reader, entry, "contexts", f"{place}.contexts"):
        try:
            found.append((name, load_context(name, system)))
        except ContentError as error:
            reader.issues += error.issues
        except NotFound as error:
            reader.issues.append(library.named(error, name, f"{reader.where}: {place}.contexts"))
    return Biology(str(entry.get("name")), str(entry.get("title")), tuple(found))


def _modality(reader: Reader, entry: dict, place: str, system: Model) -> Modality:
    sets = _numbers(reader, entry.get("sets"), f"{place}.sets", system.inputs, '{ "local.RADIATION" = 1 }')
    return Modality(str(entry.get("name")), str(entry.get("title")), sets)


def _term(reader: Reader, entry: dict, place: str, system: Model) -> Term:
    return Term(str(entry.get("name")), _lines(reader, entry, place, system))


def _uncertain(reader: Reader, entry: dict, place: str, system: Model) -> Uncertain:
    lines, times = _lines(reader, entry, place, system), entry.get("times")
    if (
        not isinstance(times, list)
        or len(times) != 2
        or not all(is_number(t) and t > 0 for t in times)
        or times[0] > times[1]
    ):
        reader.add(
            f"{place}.times", f"{shown(times)} is not two factors", "write times = [0.5, 2], the least first"
        )
        times = [1.0, 1.0]
    return Uncertain(str(entry.get("name")), lines, (float(times[0]), float(times[1])))


def _lines(reader: Reader, entry: dict, place: str, system: Model) -> tuple[str, ...]:
    """Lines of the system's parameters."""
    known, lines = {line_for(i) for i in system.inputs}, _texts(reader, entry, "lines", f"{place}.lines")
    for line in lines:
        if line not in known:
            reader.add(f"{place}.lines", f"{line!r} is not a line of {system.name}", nearest(line, known))
    if not lines:
        reader.add(f"{place}.lines", "names no line", 'write lines = ["local.CALL"]')
    return lines


def _table(reader: Reader, data: dict, key: str) -> dict:
    """A table of the study that has to be there."""
    if key not in data:
        reader.add(key, "is missing", f"add [{key}]: " + ", ".join(_TABLES[key]))
    found = table(data.get(key), f"{reader.where}: {key}", _TABLES[key], reader.issues)
    reader.sourced(found, key)
    return found


def _ablation(reader: Reader, entry: dict, system: Model) -> Ablation:
    """The lesion, a part of local injury in its site, and two shares."""
    lesion = text(entry, "lesion", f"{reader.where}: ablation", reader.issues, need=True)
    known = sorted({n.removesuffix(".sensitive") for n in system.states if n.endswith(".sensitive")})
    sites = [p.name for p in system.parts if dict(p.joins).get("lesions") == lesion.split(".")[0]]
    parts = [p.name for p in system.parts if p.use == _INJURY and dict(p.joins).get("site") in sites]
    if lesion and lesion not in known:
        reader.add("ablation.lesion", f"{lesion!r} is not a lesion of {system.name}", nearest(lesion, known))
    elif lesion and not parts:
        reader.add(
            "ablation.lesion",
            f"{system.name} has no part {_INJURY} at the site of {lesion!r}",
            "name a lesion of a site that has one, or a system that adds it",
        )
    dies, reach = (_share(reader, entry.get(k), f"ablation.{k}") for k in ("dies", "reach"))
    return Ablation(lesion, dies, reach, "".join(parts[:1]))


def _beside(reader: Reader, data: dict, biologies: list[str]) -> Beside | None:
    """A trial's published count of responses; none if the file names none."""
    if "beside" not in data:
        return None
    entry = table(data["beside"], f"{reader.where}: beside", (*_BESIDE, "text"), reader.issues)
    trial, figure, biology = (
        text(entry, k, f"{reader.where}: beside", reader.issues, need=True) for k in _BESIDE
    )
    if biology not in biologies:
        reader.add(
            "beside.biology", f"{biology!r} is not a biology of the study", nearest(biology, biologies)
        )
    try:
        found = load_trial(trial)
    except (ContentError, NotFound) as error:
        reader.add("beside.trial", *str(error).split("\n    remedy: ")[:2])
        return None
    own = next(
        (f for f in found.figures if f.name == figure and (f.kind, f.endpoint) == ("count", "response")), None
    )
    if own is None or own.value is None:
        reader.add(
            "beside.figure",
            f"{trial!r} has no count of responses named {figure!r}",
            "name one that was published",
        )
        return None
    return Beside(
        found.title,
        found.reference,
        own,
        biology,
        text(entry, "text", f"{reader.where}: beside", reader.issues),
    )


def _share(reader: Reader, value: object, place: str) -> Share:
    """A share with the ends between which draws lie."""
    entry = table(value, f"{reader.where}: {place}", ("value", "low", "high", "where", "seen"), reader.issues)
    reader.sourced(entry, place)
    middle = entry.get("value")
    low, high = entry.get("low", middle), entry.get("high", middle)
    if not (is_number(middle) and is_number(low) and is_number(high) and 0 < low <= middle <= high <= 1):
        reader.add(
            place,
            "is missing" if value is None else f"{shown(value)} is not a share",
            "write { value = SHARE, low = …, high = … }, above 0 and at most 1, the value between its ends",
        )
        return Share(1.0, 1.0, 1.0)
    return Share(float(middle), float(low), float(high))


def _numbers(
    reader: Reader, value: object, place: str, known: Iterable[str], like: str
) -> tuple[tuple[str, float], ...]:
    """Names that are known, each with a number."""
    entry = value if isinstance(value, dict) else {}
    if not entry or not all(map(is_number, entry.values())):
        reader.add(
            place, "is missing" if value is None else f"{shown(value)} does not give numbers", f"write {like}"
        )
        return ()
    for name in entry:
        if name not in known:
            reader.add(f"{place}.{name}", "is not known here", nearest(name, known))
    return tuple((k, float(v)) for k, v in entry.items())


def _texts(reader: Reader, entry: dict, key: str, place: str) -> tuple[str, ...]:
    value = entry.get(key, [])
    if not isinstance(value, list) or not all(isinstance(x, str) and x for x in value):
        reader.add(place, f"{shown(value)} is not a list of names", f'write {key} = ["…"]')
        return ()
    return tuple(value)


def _weeks(reader: Reader, head: dict) -> list[tuple[float, ...]]:
    """The gaps, those at which terms are taken out, and the days of reading, in days."""
    found: dict[str, tuple[float, ...]] = {}
    for key in _LISTS:
        value = head.get(key, [])
        days = tuple(reader.days(x, f"study.{key}") for x in value) if isinstance(value, list) else ()
        if not days or days != tuple(sorted(set(days))):
            reader.add(
                f"study.{key}",
                f"{shown(head.get(key))} is not a list of times",
                f'write {key} = ["4 week", "12 week"], ascending',
            )
        found[key] = days
    if (
        found["reads"]
        and found["gaps"]
        and (found["reads"][0] <= 0 or found["reads"][-1] <= found["gaps"][-1])
    ):
        reader.add(
            "study.reads",
            "begins with the first treatment, or ends before the second begins at the longest gap",
            "name days after the first treatment, the last of them after the longest gap",
        )
    if found["gaps"][:1] != (0.0,):
        reader.add(
            "study.gaps", "does not begin with no gap", 'write gaps = ["0 week", …]: what the orders share'
        )
    if not {0.0} | set(found["gaps"]) > set(found["terms_at"]) or 0.0 in found["terms_at"]:
        reader.add("study.terms_at", "is not some of the gaps above 0", "name gaps of the study")
    return list(found.values())


def _provenance(data: dict) -> tuple[tuple[str, str, str, str], ...]:
    """What a study without a fault assumes of its own: line, value, where, how seen."""
    shares = [
        ("ablation: share of the lesion that dies", data["ablation"]["dies"]),
        ("ablation: share of injury that the rest of the liver feels", data["ablation"]["reach"]),
        ("difference of volume worth a word", data["study"]["least"]),
    ]
    told = [(name, f"{s['value']:g}" + _between(s), s) for name, s in shares]
    told += [
        ("ablation: lesion", data["ablation"]["lesion"], data["ablation"]),
        ("patients", _words(data["patients"]["covariates"]), data["patients"]),
        ("blockade", _words(data["blockade"]["sets"]), data["blockade"]),
    ]
    told += [(b["title"], ", ".join(b.get("contexts", ())) or "no context", b) for b in data["biologies"]]
    told += [(m["title"], _words(m["sets"]), m) for m in data["modalities"]]
    told += [
        (f"draws: {u['name']}", f"× {u['times'][0]:g}–{u['times'][1]:g}", u)
        for u in data.get("uncertain") or ()
    ]
    return tuple(
        (name, value, entry.get("where", ""), entry.get("seen", "user")) for name, value, entry in told
    )


def _between(share: dict) -> str:
    """The ends of a share's draws, where it gives any; one that it does not give is its value."""
    low, high = (share.get(k, share["value"]) for k in ("low", "high"))
    return f" ({low:g}–{high:g})" if low < high else ""


def _words(sets: dict) -> str:
    return ", ".join(f"{k} = {v:g}" for k, v in sets.items())
