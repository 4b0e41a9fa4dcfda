"""A fit's page: what the data say of each quantity, each trial's term, all figures of its disease beside the
published ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from pkpd.content import library
from pkpd.errors import fail
from pkpd.fit.own import laid_over
from pkpd.fit.predict import predict
from pkpd.fit.result import fitted, load_result
from pkpd.trial.reading import load_trial

_BLOCK = re.compile(r"(<!-- fit (\w+): (\w+) -->\n).*?(<!-- end -->)", re.S)
_USES = {"fit": "fitted", "predict": "held out", "context": "context"}
_VERDICTS = {True: "inside", False: "**OUTSIDE**", None: "–"}
Tell = Callable[[str, int, int], None]


def figure_text(kind: str, value: float | None) -> str:
    """A figure as a reader sees it: a share in per cent, a count whole."""
    if value is None:
        return "not reached"
    if kind in ("landmark", "change"):
        return f"{100 * value:{'+' if kind == 'change' else ''}.1f} %"
    return f"{value:.{ {'count': 0, 'hazard ratio': 2}.get(kind, 1) }f}"


def span_text(kind: str, interval: list | None) -> str:
    if interval is None:
        return ""
    low, high = (figure_text(kind, x) for x in interval)
    return f"({low} to {high})" if kind == "change" else f"({low}–{high})"


def published_text(row: dict) -> str:
    """The published figure with its interval, marked where that was derived."""
    if row["published"] is None:
        return "none seen"
    marks = (
        [f"{100 * row['level']:.0f} %"]
        if row["interval_from"] == "published" and row["level"] != 0.95
        else []
    )
    marks += ["†"] if row["interval_from"] == "derived" else []
    marks += (
        [{"assumed": "recalled", "review": "from a review"}[row["seen"]]]
        if row["seen"] in ("assumed", "review")
        else []
    )
    return " ".join(
        [figure_text(row["kind"], row["published"]), span_text(row["kind"], row["interval"]), *marks]
    ).strip()


def predicted_text(row: dict) -> str:
    return f"{figure_text(row['kind'], row['predicted'])} {span_text(row['kind'], row['predicted_interval'])}"


def unit_text(row: dict) -> str:
    return {"count": f"of {row['n']}", "landmark": "%", "change": "%", "median": row["unit"]}.get(
        row["kind"], "–"
    )


def predictions(name: str, patients: int = 1000, tell: Tell = lambda what, done, of: None) -> list[dict]:
    """The figures of every trial of the library that shares a result's disease, as `pkpd trial`
    tells them.
    """
    parameters, account = load_result(name)
    trials = [t for n in library.names("trial") if (t := load_trial(n)).disease.name == parameters.model]
    link = account.get("link", "")
    return [
        predict(
            t,
            laid_over(t, parameters),
            patients,
            link if t.treatments else "",
            fitted=fitted(account, t.name),
            tell=tell,
        )
        for t in trials
    ]


def filled(page: str, results: list[dict]) -> str:
    """A page with its blocks `<!-- fit NAME: quantities --> … <!-- end -->` (or terms, figures) made anew."""
    if page.count("<!-- fit ") != len(_BLOCK.findall(page)):
        raise fail("page", "a block of a fit has no end", "write <!-- fit NAME: figures --> and <!-- end -->")
    tables = {"quantities": quantities, "terms": terms}

    def made(found: re.Match) -> str:
        name, what = found[2], found[3]
        if what not in (*tables, "figures"):
            raise fail(
                "page", f"{what!r} is no table of a fit", "write one of " + ", ".join((*tables, "figures"))
            )
        lines = figures(results) if what == "figures" else tables[what](load_result(name)[1])
        return "\n".join([found[1], *lines, "", found[4]])

    return _BLOCK.sub(made, page)


def quantities(account: dict) -> list[str]:
    """Prior, posterior and profile of each free quantity."""
    lines = [
        "| quantity | line | prior (95 %) | posterior (95 %) | what the data say |",
        "|---|---|---|---|---|",
    ]
    return lines + [
        f"| {r['name']} | `{r['line']}` | {_middle(r, 'prior', 'prior_low', 'prior_high')} | "
        f"{_middle(r, 'median', 'low', 'high')} | {r['says']} |"
        for r in account["free"]
    ]


def _middle(row: dict, *keys: str) -> str:
    value, low, high = (f"{row[k]:.3g}" for k in keys)
    return f"{value} ({low}–{high})"


def terms(account: dict) -> list[str]:
    """Each trial's term at the best point."""
    lines = ["| trial | term | figures | log likelihood | squared distance |", "|---|---|---|---|---|"]
    return lines + [
        f"| {t['trial']} | {t['kind']} | {t['figures']} | {t['log_likelihood']:.2f} | "
        f"{t['distance_squared']:.2f} |"
        for t in account["terms"]
    ]


def figures(results: Sequence[dict]) -> list[str]:
    """Every figure of the trials: published and predicted, fitted or held out, inside or outside."""
    rows = [row for r in results for row in r["figures"]]
    counts = [
        sum(row["use"] == use and row["inside"] is not None and row["inside"] >= least for row in rows)
        for use in ("fit", "predict")
        for least in (1, 0)
    ]
    said = ("Of {1} fitted figures {0} lie inside what is predicted, of {3} held out {2}.").format(*counts)
    lines = [
        said,
        "",
        "| trial | figure | arm | unit | used | published (95 %) | predicted (95 %) | |",
        "|" + "---|" * 8,
    ]
    return lines + [
        f"| {r['trial']} | {row['figure']} | {row['arm']} | {unit_text(row)} | {_USES[row['use']]} | "
        f"{published_text(row)} | {predicted_text(row)} | {_VERDICTS[row['inside']]} |"
        for r in results
        for row in r["figures"]
    ]
