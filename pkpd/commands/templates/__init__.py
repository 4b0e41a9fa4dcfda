"""Content files to begin from: each is commented, passes its check as written, and runs with the others."""

from __future__ import annotations

import re
import tomllib
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from pkpd.errors import OutputError, PkpdError, fail, nearest
from pkpd.model.compose import load_model
from pkpd.model.model import Model
from pkpd.parameters.bind import line_for
from pkpd.parameters.sets import load_parameters

KINDS = ("model", "parameters", "regimen", "trial")
_NAME = re.compile(r"\w[\w-]{0,79}")
_LIBRARY = "structures/antibody"  # of a set that no model is named for, and none lies in the folder
_TYPICAL = {
    ("KA", "1/hour"): 1.5,
    ("CL", "L/hour"): 2.0,
    ("V", "L"): 20.0,
}  # of the model's template; 1 for any other input


def write_new(kind: str, name: str, model: str | None = None, folder: Path = Path()) -> tuple[Path, str]:
    """Writes a commented NAME.toml into a folder; tells its path and, of values, the model that they are for.

    A file that is there is never written over. Values are for `model`; else for the only model of the folder,
    else for one of the library.
    """
    if kind not in KINDS:
        raise fail(kind, "is no kind of file that can be begun so", nearest(kind, KINDS))
    if not _NAME.fullmatch(name):
        raise fail(
            name,
            "is no name of a file to begin: letters, digits, _ and -",
            "give a word; the file is NAME.toml in the current folder",
        )
    if model is not None and kind != "parameters":
        raise fail(
            "--model",
            f"has no place in a {kind}",
            "it says which model values are for: `pkpd new parameters`",
        )
    text = (
        files("pkpd.commands.templates")
        .joinpath(f"{kind}.toml")
        .read_text(encoding="utf-8")
        .replace("NAME", name)
    )
    path, told = folder / f"{name}.toml", ""
    if kind == "parameters":
        own = load_model(model or _near(folder))
        text, told = text.replace("MODEL", own.name).replace("VALUES", _values(own)), own.name
    _write(path, text)
    return path, told


def _near(folder: Path) -> str:
    """The only model of a folder; one of the library where there is none."""
    found = sorted(p for p in folder.glob("*.toml") if _is_model(p))
    if len(found) > 1:
        raise fail(
            "--model",
            f"{len(found)} models lie here: {', '.join(p.name for p in found[:5])}",
            "name one of them",
        )
    return str(found[0]) if found else _LIBRARY


def _is_model(path: Path) -> bool:
    with suppress(OSError, ValueError, RecursionError, PkpdError):
        return "model" in tomllib.loads(path.read_text(encoding="utf-8"))
    return False


def _values(model: Model) -> str:
    """A line for each input of a model, part by part, in its unit: the library's default, if it has one."""
    parts: dict[str, list[str]] = {}
    known = _known(model)
    for p in {line_for(p.name): p for p in model.parameters}.values():
        part, _, name = line_for(p.name).rpartition(".")
        value, where = known.get(line_for(p.name)) or (_TYPICAL.get((name, p.unit), 1.0), "to be replaced")
        note = f"  # {p.text}" if p.text else ""
        line = (
            f'{name} = {{ value = {value!r}, unit = "{p.unit}", where = "{where}", seen = "assumed" }}{note}'
        )
        parts.setdefault(part, []).append(line)
    blocks = [f"[values{'.' + part if part else ''}]\n" + "\n".join(own) for part, own in parts.items()]
    return "\n\n".join(blocks) or "[values]"


def _known(model: Model) -> dict[str, tuple[float, str]]:
    """The values of the library's default set for a model, each with the set's name; none without one."""
    with suppress(PkpdError):
        own = load_parameters((), model)
        return {v.name: (v.value, f"of {own.name}, without its spread; to be replaced") for v in own.values}
    return {}


def _write(path: Path, text: str) -> None:
    """A new file, whole or not at all."""
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise OutputError(
            f"{path}: is there already, and is not written over\n    remedy: choose another name"
        ) from None
    except OSError as error:
        path.unlink(missing_ok=True)
        raise OutputError(
            f"{path}: cannot be written ({error.strerror or error})\n"
            "    remedy: choose a folder that can be written"
        ) from None
