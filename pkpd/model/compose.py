"""Parts and joins to one flat, unit-checked system."""

from __future__ import annotations

from dataclasses import replace

from pkpd.content import library, toml, units
from pkpd.content.library import raise_issues
from pkpd.errors import ContentError, Issue, NotFound, PkpdError, fail, nearest
from pkpd.machine import cache, store
from pkpd.model.flatten import Instance, flatten
from pkpd.model.model import Compartment, Dose, Flow, Model, ModelFile, Parameter, Part, Variable
from pkpd.model.reading import read_file

_KEPT = (Model, Parameter, Compartment, Dose, Variable, Flow, Part)  # what a composed model is made of


def load_model(name: str, swap: dict[str, str] | None = None) -> Model:
    """A model or system by library name or path; `swap` replaces the model that a part uses.

    It is kept in the cache folder by the content of its files and of the code that composes it.
    """
    swap = swap or {}
    try:
        key = store.content_hash(
            _sources(name, swap),
            sorted(swap.items()),
            units.rests_on(),
            store.code_hash("model", "content/library.py", "content/toml.py"),
        )
    except PkpdError:  # composing says all that is wrong
        return build_model(model_file(name), swap)
    return cache.remember("models", key, lambda: build_model(model_file(name), swap), *_KEPT)


def _sources(name: str, swap: dict[str, str]) -> list[list[str]]:
    """The name and tables of a model file and of each part's."""
    head = library.read("model", name)
    parts = head.data.get("parts", {})
    uses = (
        [swap.get(k, p.get("use")) for k, p in parts.items() if isinstance(p, dict)]
        if isinstance(parts, dict)
        else []
    )
    sources = [head, *(library.read("model", use) for use in uses if isinstance(use, str))]
    return [[s.name, s.where, repr(whole(s.data, s.where))] for s in sources]


def parse_model(source: str | dict, name: str = "model") -> Model:
    """A model from TOML text or from its tables, as in a notebook; a system's parts come from the library."""
    return build_model(read_file(whole(toml.tables(source, name), name), name, name), {})


def model_file(name: str) -> ModelFile:
    """A model file by library name or path, checked on its own."""
    return library.load("model", name, lambda data, name, where: read_file(whole(data, where), name, where))


def whole(data: dict, where: str, seen: tuple[str, ...] = ()) -> dict:
    """A model file's tables with those of the model that it is `like` below them: its own lines replace and
    add.
    """
    head = data.get("model")
    if not isinstance(head, dict) or "like" not in head:
        return data
    if not isinstance(head["like"], str):
        raise fail(
            f"{where}: model.like",
            f"{head['like']!r} is not the name of a model",
            'write like = "structures/antibody"',
        )
    try:
        source = library.read("model", head["like"])
    except NotFound as error:
        raise fail(f"{where}: model.like", str(error)) from None
    if source.path in seen:
        raise fail(
            f"{where}: model.like",
            f"{head['like']!r} leads back to itself",
            "name a model that stands on its own",
        )
    base = whole(source.data, source.where, (*seen, source.path))
    if "parts" in base or "parts" in data:
        raise fail(
            f"{where}: model.like",
            "joins a system",
            "a system has parts; only a model of compartments has a like",
        )
    merged = {
        section: {**base.get(section, {}), **lines}
        if isinstance(lines := data.get(section, {}), dict)
        else lines
        for section in (*base, *(k for k in data if k not in base))
    }
    merged["model"] = {**base["model"], **head, "like": (head["like"], *base["model"].get("like", ()))}
    return merged


def build_model(file: ModelFile, swap: dict[str, str]) -> Model:
    """The flat system behind a model file."""
    if file.parts:
        instances = _instances(file, swap)
    elif file.joins or file.gathers:
        names = ", ".join((*file.joins, *file.gathers))
        raise ContentError(
            Issue(
                f"{file.where}: model.joins",
                f"{file.title!r} joins {names} and cannot stand alone",
                "use it as a part of a system",
            )
        )
    else:
        instances = [Instance("", "", file)]
    parts = tuple(replace(p, use=swap.get(p.name, p.use)) for p in file.parts)
    return flatten(file, instances, parts)


def _instances(system: ModelFile, swap: dict[str, str]) -> list[Instance]:
    """Every copy of every part."""
    issues: list[Issue] = []
    parts = {p.name: replace(p, use=swap.get(p.name, p.use)) for p in system.parts}
    for name in set(swap) - set(parts):
        issues.append(Issue(f"{system.where}: parts", f"no part {name!r} to swap", nearest(name, parts)))
    files: dict[str, ModelFile] = {}
    for part in parts.values():
        try:
            files[part.name] = model_file(part.use)
            if files[part.name].parts:
                issues.append(
                    Issue(
                        f"{system.where}: parts.{part.name}.use",
                        f"{part.use} is itself a system",
                        "list its parts here",
                    )
                )
        except ContentError as error:
            issues += error.issues
        except PkpdError as error:
            issues.append(Issue(f"{system.where}: parts.{part.name}.use", str(error)))
    raise_issues(issues)
    parts = _counted(parts, files)
    found: list[Instance] = []
    for part in parts.values():
        found += _copies(system, part, files[part.name], parts, issues)
    raise_issues(issues)
    return found


def _counted(parts: dict[str, Part], files: dict[str, ModelFile]) -> dict[str, Part]:
    """Parts with the number of copies that their joins give them, whichever order they stand in."""
    for _ in parts:
        parts = {
            name: replace(
                p, n=max((parts[v].n for k, v in p.joins if v in parts and k in files[name].joins), default=1)
            )
            if p.chain == p.n == 1
            else p
            for name, p in parts.items()
        }
    return parts


def _copies(
    system: ModelFile, part: Part, file: ModelFile, parts: dict[str, Part], issues: list[Issue]
) -> list[Instance]:
    """The instances of one part: a chain, copies side by side, or one."""
    where = f"{system.where}: parts.{part.name}"
    bound = _bound(where, part, file, parts, issues)
    counts = {p.n for k, p in bound.items() if p.n > 1 and k in file.joins} | (
        {part.n} if part.n > 1 else set()
    )
    if len(counts) > 1:
        issues.append(
            Issue(
                where,
                f"joins parts of {' and '.join(map(str, sorted(counts)))} copies",
                "give them the same number of copies",
            )
        )
        return []
    n = counts.pop() if counts else 1
    if part.chain > 1:
        names = [f"{part.name}.{i + 1}" for i in range(part.chain)]
        following = [*names[1:], ""]
        return [
            Instance(part.name, name, file, tuple((k, v.name) for k, v in bound.items()), after)
            for name, after in zip(names, following, strict=True)
        ]
    return [
        Instance(
            part.name,
            f"{part.name}.{i + 1}" if n > 1 else part.name,
            file,
            tuple(
                (k, f"{v.name}.{i + 1}" if v.n > 1 and k in file.joins else v.name) for k, v in bound.items()
            ),
        )
        for i in range(n)
    ]


def _bound(
    where: str, part: Part, file: ModelFile, parts: dict[str, Part], issues: list[Issue]
) -> dict[str, Part]:
    """The part that each join of a part's file is bound to; each is given, and to a part that is there."""
    given, wanted = dict(part.joins), (*file.joins, *file.gathers)
    for key in given:
        if key not in wanted:
            issues.append(
                Issue(f"{where}.{key}", f"{part.use} joins no {key!r}", nearest(key, (*wanted, "n", "chain")))
            )
    for key in wanted:
        if key not in given:
            issues.append(
                Issue(where, f"{part.use} joins {key!r}, which is not given", f'add {key} = "PART"')
            )
        elif given[key] not in parts:
            issues.append(
                Issue(f"{where}.{key}", f"there is no part {given[key]!r}", nearest(given[key], parts))
            )
    return {k: parts[v] for k, v in given.items() if v in parts}
