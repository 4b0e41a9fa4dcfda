"""The tables of a study of order read: biologies, modalities, terms, what is uncertain, ablation."""

from __future__ import annotations

from collections.abc import Iterable

from pkpd.content import library
from pkpd.content.fields import is_number
from pkpd.content.library import rows, table, text
from pkpd.content.toml import shown
from pkpd.errors import ContentError, NotFound, nearest
from pkpd.model.model import Model
from pkpd.parameters.bind import line_for
from pkpd.parameters.sets import load_context
from pkpd.study.order.interaction import REMOVAL
from pkpd.study.order.plan import Ablation, Beside, Biology, Modality, Term
from pkpd.study.platforms.plan import Share, Uncertain
from pkpd.trial.lines import Reader
from pkpd.trial.reading import load_trial

KEYS = {
    "biologies": ("name", "title", "contexts", "where", "seen"),
    "modalities": ("name", "title", "sets", "where", "seen"),
    "terms": ("name", "lines", "where", "seen"),
    "uncertain": ("name", "lines", "times", "where", "seen"),
}
_BESIDE = ("trial", "figure", "biology")
_INJURY = "immune/local_injury"


def read_entries(reader: Reader, data: dict, key: str, system: Model) -> tuple:
    """The entries of one list of tables, each with a name of its own."""
    read = {"biologies": _biology, "modalities": _modality, "terms": _term, "uncertain": _uncertain}[key]
    found, names = [], []
    for at, entry in rows(data.get(key), f"{reader.where}: {key}", KEYS[key], reader.issues):
        place = at.removeprefix(f"{reader.where}: ")
        names.append(text(entry, "name", at, reader.issues, need=True))
        if "title" in KEYS[key]:
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
    for name in read_texts(reader, entry, "contexts", f"{place}.contexts"):
        try:
            found.append((name, load_context(name, system)))
        except ContentError as error:
            reader.issues += error.issues
        except NotFound as error:
            reader.issues.append(library.named(error, name, f"{reader.where}: {place}.contexts"))
    return Biology(str(entry.get("name")), str(entry.get("title")), tuple(found))


def _modality(reader: Reader, entry: dict, place: str, system: Model) -> Modality:
    sets = read_numbers(
        reader, entry.get("sets"), f"{place}.sets", system.inputs, '{ "local.RADIATION" = 1 }'
    )
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
    known, lines = {line_for(i) for i in system.inputs}, read_texts(reader, entry, "lines", f"{place}.lines")
    for line in lines:
        if line not in known:
            reader.add(f"{place}.lines", f"{line!r} is not a line of {system.name}", nearest(line, known))
    if not lines:
        reader.add(f"{place}.lines", "names no line", 'write lines = ["local.CALL"]')
    return lines


def read_ablation(reader: Reader, entry: dict, system: Model) -> Ablation:
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
    dies, reach = (read_share(reader, entry.get(k), f"ablation.{k}") for k in ("dies", "reach"))
    return Ablation(lesion, dies, reach, "".join(parts[:1]))


def read_beside(reader: Reader, data: dict, biologies: list[str]) -> Beside | None:
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


def read_share(reader: Reader, value: object, place: str) -> Share:
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


def read_numbers(
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


def read_texts(reader: Reader, entry: dict, key: str, place: str) -> tuple[str, ...]:
    """A list of names; empty where it is left out."""
    value = entry.get(key, [])
    if not isinstance(value, list) or not all(isinstance(x, str) and x for x in value):
        reader.add(place, f"{shown(value)} is not a list of names", f'write {key} = ["…"]')
        return ()
    return tuple(value)
