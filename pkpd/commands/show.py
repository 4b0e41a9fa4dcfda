"""What the library holds: lists, one entry shown, files checked."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from pkpd.commands.terminal import print_json, say
from pkpd.content import library
from pkpd.content.formats import stamped
from pkpd.content.naming import folderless
from pkpd.errors import ContentError, Issue, NotFound, PkpdError, clipped, fail, nearest
from pkpd.machine import store
from pkpd.model.model import ModelFile

KINDS = ("models", "drugs", "parameters", "regimens", "trials", "fits", "studies")
_TABLES = {
    "model": "model",
    "parameters": "parameters",
    "regimen": "regimen",
    "trial": "trial",
    "fit": "fit",
    "study": "study",
    "exposures": "exposures",
}
_SHOWN = 40  # issues of a file
_DIAGRAMS = {"model": (".svg", ".png", ".pdf"), "regimen": (".svg", ".png")}
_CHECKED = ("model", "parameters", "regimen", "trial", "fit", "result", "study", "exposures")


def _title(kind: str, name: str) -> dict:
    data = library.read(kind, name).data
    head = data.get({"result": "parameters"}.get(kind, kind), {})
    return head if isinstance(head, dict) else {}


def rows_of(kind: str | None) -> list[dict]:
    """Name, title and source of what the library holds, of one kind or all."""
    if kind is not None and kind not in KINDS:
        raise NotFound(f"{kind}: not a kind of content\n    remedy: {nearest(kind, KINDS)}")
    found = []
    for group in [kind] if kind else [k for k in KINDS if k != "drugs"]:
        if group == "drugs":
            from pkpd.show.drugs import drug_rows

            found += drug_rows()
            continue
        single = {"studies": "study"}.get(group, group.removesuffix("s") if group != "parameters" else group)
        for name in library.names(single):
            head = _title(single, name)
            title, reference = str(head.get("title", "")), str(head.get("reference", ""))
            row: dict[str, Any] = {"kind": group, "name": name, "title": title, "reference": reference}
            if group == "fits":
                row["calibrated"] = name in library.names("result")
            found.append(row)
    return found


def kinds_of(name: str) -> list[str]:
    """The kinds of content that a name stands for, or a file's tables: a trial, its fit and the result may
    share a name.
    """
    if library.is_path(name, "model"):
        data = library.read("model", name).data
        for table, kind in (("parameters", "parameters"), *_TABLES.items()):
            if table in data and (table != "parameters" or "model" not in data):
                return ["result" if kind == "parameters" and "fit" in data and "draws" in data else kind]
        raise fail(
            name, "is no kind of content", "a file begins with one of " + ", ".join(f"[{t}]" for t in _TABLES)
        )
    found = []
    for kind in _CHECKED:
        try:
            library.find(kind, name)
        except NotFound:
            continue
        found.append(kind)
    if found:
        return found
    known = [r["name"] for r in rows_of(None)] + [n.rsplit("/", 1)[-1] for n in library.names("model")]
    raise NotFound(f"{name}: the library holds nothing of this name\n    remedy: {nearest(name, set(known))}")


def show(
    name: str, diagram: str | None, as_json: bool, console: Console, exposure: Path | None = None
) -> None:
    """Prints all that a name stands for (as JSON, the first); the diagram of a model or regimen goes to a
    file.

    diagram   the file; NAME.svg if it is empty
    exposure  draws a drug's concentration and its published figures there, and prints these in place of the
              model
    """
    kinds = kinds_of(name)
    if exposure is not None and diagram is not None:
        raise fail("--diagram", "cannot be drawn along with --exposure", "ask for one at a time")
    if exposure is not None:
        _show_exposure(name, kinds, exposure, as_json, console)
        return
    kinds = kinds[:1] if as_json else kinds
    path = _diagram_file(name, kinds, diagram) if diagram is not None else None
    for kind in kinds:
        if kind == "model":
            _show_model(name, path, as_json, console)
        elif kind == "regimen":
            _show_regimen(name, path if "model" not in kinds else None, as_json, console)
        else:
            _show_other(kind, name, as_json, console)


def _diagram_file(name: str, kinds: list[str], file: str) -> Path:
    """Where a diagram goes, checked before anything is computed."""
    drawn = next((k for k in kinds if k in _DIAGRAMS), None)
    if drawn is None:
        raise fail(
            "--diagram",
            f"{name!r} is neither model nor regimen",
            "a model's flows and a regimen's doses can be drawn",
        )
    path = Path(file or f"{name.rsplit('/', 1)[-1].removesuffix('.toml')}.svg")
    if path.suffix not in _DIAGRAMS[drawn]:
        raise fail("--diagram", f"{path} is neither {' nor '.join(_DIAGRAMS[drawn])}", "name the file so")
    return store.require_writable(path)


def _show_exposure(name: str, kinds: list[str], path: Path, as_json: bool, console: Console) -> None:
    from pkpd.show.exposure_figure import draw_exposure
    from pkpd.show.exposure_table import print_rows

    if "model" not in kinds:
        raise fail("--exposure", f"{name!r} is no drug", "`pkpd list drugs` shows them")
    rows = draw_exposure(name, path)
    if as_json:
        print_json(rows)
        return
    print_rows(name, rows, console)
    console.print(escape(f"{path}: written"))


def _show_other(kind: str, name: str, as_json: bool, console: Console) -> None:
    if kind in ("parameters", "result"):
        from pkpd.parameters.sets import load_parameters
        from pkpd.show.model import show_parameters
        from pkpd.show.model_tables import print_parameters

        described = show_parameters(load_parameters(name))
        print_json(stamped(folderless(described))) if as_json else print_parameters(described, console)
        return
    if kind == "exposures":
        _show_evidence(name, as_json, console)
        return
    data = _checked(kind, name)
    if as_json:
        print_json(stamped(data))
    elif kind == "trial":
        from pkpd.show.trial import print_trial
        from pkpd.trial.reading import load_trial

        print_trial(load_trial(name), console)
    else:
        console.print(escape(Path(library.find(kind, name)).read_text(encoding="utf-8")), soft_wrap=True)


def _show_evidence(name: str, as_json: bool, console: Console) -> None:
    """Published exposures, each beside what is simulated."""
    from pkpd.exposures.comparison import compare_exposures
    from pkpd.exposures.reading import load_evidence
    from pkpd.show.exposure_table import print_rows

    evidence = load_evidence(name)
    rows = compare_exposures(evidence)
    if as_json:
        print_json(stamped({"title": evidence.title, "figures": rows}))
    else:
        print_rows(evidence.title or name, rows, console)


def _show_regimen(name: str, diagram: Path | None, as_json: bool, console: Console) -> None:
    from pkpd.regimen.reading import load_regimen
    from pkpd.show.regimen import print_regimen, show_regimen

    regimen = load_regimen(name)
    print_json(stamped(folderless(show_regimen(regimen)))) if as_json else print_regimen(regimen, console)
    if diagram is not None:
        from pkpd.show.dosing_diagram import dosing_diagram, image

        store.write_bytes(diagram, image(dosing_diagram(regimen), diagram.suffix))
        if not as_json:
            console.print(escape(f"{diagram}: written"))


def _show_model(name: str, diagram: Path | None, as_json: bool, console: Console) -> None:
    from pkpd.model.compose import load_model, model_file
    from pkpd.parameters.sets import load_parameters
    from pkpd.show.model import show_model
    from pkpd.show.model_tables import print_model

    file = model_file(name)
    if file.joins or file.gathers or not (file.parts or file.compartments):
        _show_part(name, file, diagram, as_json, console)
        return
    model = load_model(name)
    try:
        parameters = load_parameters((), model)
    except ContentError:
        parameters = None  # a model of the user's own, or a part: shown without values
    described = show_model(model, parameters)
    print_json(stamped(folderless(described))) if as_json else print_model(described, console)
    if diagram is not None:
        from pkpd.show.diagram import diagram as draw
        from pkpd.show.diagram import image

        store.write_bytes(diagram, image(draw(model), diagram.suffix))
        if not as_json:
            console.print(escape(f"{diagram}: written"))


def _show_part(name: str, file: ModelFile, diagram: Path | None, as_json: bool, console: Console) -> None:
    """A part that cannot stand alone is shown as it is written."""
    if diagram is not None:
        raise fail("--diagram", f"{name!r} is a part that cannot stand alone", "draw a system that uses it")
    if as_json:
        print_json(stamped(library.read("model", name).data))
        return
    console.print(escape(Path(library.find("model", name)).read_text(encoding="utf-8")), soft_wrap=True)
    joined = escape(", ".join((*file.joins, *file.gathers))) or "nothing"
    console.print(f"A part: it joins {joined} and stands in a system, not alone.")


def _checked(kind: str, name: str) -> dict:
    from pkpd.fit.reading import load_fit
    from pkpd.regimen.reading import load_regimen
    from pkpd.study.kinds import load_study
    from pkpd.trial.reading import load_trial

    {"trial": load_trial, "fit": load_fit, "study": load_study, "regimen": load_regimen}[kind](name)
    return library.read(kind, name).data


def check(paths: list[str]) -> tuple[list[dict], int]:
    """Issues of files, or of the whole library, and how many files were read."""
    from pkpd.commands.check import issues_of
    from pkpd.parameters.defaults import defaults, rivals

    names: list[tuple[str | None, str]] = [(None, p) for p in paths]
    if not paths:
        names = [(k, n) for k in _CHECKED for n in library.names(k)]
    found = []
    for kind, name in names:
        try:
            issues = [i for k in ([kind] if kind else kinds_of(name)) for i in issues_of(k, name)]
        except ContentError as error:
            issues = list(error.issues)
        except PkpdError as error:
            what, _, remedy = str(error).partition("\n    remedy: ")
            issues = [Issue(name, what.removeprefix(f"{name}: "), remedy)]
        words = ("where", "what", "remedy")
        found += [{"file": name, **{k: clipped(getattr(i, k)) for k in words}} for i in issues]
    asked = {n for k, n in names if k in (None, "parameters")}
    extra = [
        (n, i)
        for model, sets in defaults().items()
        if len(sets) > 1 and asked & {*sets}
        for n, i in zip(sets[1:], rivals(model, sets), strict=True)
    ]
    found += [{"file": n, "where": i.where, "what": i.what, "remedy": i.remedy} for n, i in extra]
    return found, len(names)


def print_issues(found: list[dict]) -> None:
    """Issues file by file, no more of each than are read."""
    for name, own in groupby(found, lambda row: row["file"]):
        listed = list(own)
        for row in listed[:_SHOWN]:
            say(str(Issue(row["where"], row["what"], row["remedy"])))
        if len(listed) > _SHOWN:
            say(f"… and {len(listed) - _SHOWN} more issues of {clipped(name)} (--json gives all)")
