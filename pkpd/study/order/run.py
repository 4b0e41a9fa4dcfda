"""run_order: every biology under every draw of a study of order, and its tables."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pkpd.machine.executor import stream
from pkpd.study.order import interaction
from pkpd.study.order.interaction import Found, OrderResult
from pkpd.study.order.plan import OrderStudy

Tell = Callable[[str, int, int], None]


def run_order(study: OrderStudy, tell: Tell = lambda what, done, of: None) -> OrderResult:
    """Runs a study of order; both orders, and each treatment alone, are given to the same patients of each
    draw.
    """
    from pkpd.solve.compile import kernels

    kernels(study.system)
    interaction.check_lesions(study)
    jobs = [(b, k) for b in study.biologies for k in range(study.draws)]
    found: dict[str, list[Found]] = {b.name: [] for b in study.biologies}
    tell("simulating", 0, len(jobs))
    for done, (job, one) in enumerate(
        zip(jobs, stream(partial(interaction.simulated, study), jobs), strict=True), 1
    ):
        found[job[0].name].append(one)
        tell("simulating", done, len(jobs))
    makers = (interaction.volume_rows, interaction.clinical_rows, interaction.term_rows)
    volumes, clinical, terms = (
        tuple(r for name, some in found.items() for r in make(study, name, some)) for make in makers
    )
    return OrderResult(
        study, volumes, clinical, tuple(interaction.windows(study, (*volumes, *clinical))), terms
    )
