"""One step of Rodas4 for LANES patients, each with a step of its own, as LLVM text.

Order 4, embedded order 3, L-stable, six stages, gamma = 1/4: Hairer & Wanner, Solving Ordinary Differential
Equations II, 1996.
"""

from __future__ import annotations

from pkpd.solve.vector import LANES, Lines, V, function, real

GAMMA = 0.25
_A = (
    (1.544,),
    (0.9466785280815826, 0.2557011698983284),
    (3.314825187068521, 2.896124015972201, 0.9986419139977817),
    (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950),
)
_C = (
    (-5.6688,),
    (-2.430093356833875, -0.2063599157091915),
    (-0.1073529058151375, -9.594562251023355, -20.47028614809616),
    (7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160),
    (8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054),
)


class Body(Lines):
    """Instructions with loops over the states."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n, self.loops = n, 0

    def begin(self, **carried: str) -> tuple[str, dict[str, str]]:
        """Opens a loop over states: its counter, and the values carried round it."""
        self.loops += 1
        k = self.loops
        self.text += [
            f"  br label %before{k}",
            f"before{k}:",
            f"  br label %loop{k}",
            f"loop{k}:",
            f"  %i{k} = phi i64 [0, %before{k}], [%next{k}, %loop{k}]",
        ]
        for name, first in carried.items():
            self.text.append(f"  %{name}{k} = phi {V} [{first}, %before{k}], [%{name}next{k}, %loop{k}]")
        return f"%i{k}", {name: f"%{name}{k}" for name in carried}

    def end(self, **carried: str) -> None:
        k = self.loops
        for name, value in carried.items():
            self.text.append(f"  %{name}next{k} = select i1 true, {V} {value}, {V} {value}")
        self.text += [
            f"  %next{k} = add i64 %i{k}, 1",
            f"  %more{k} = icmp ult i64 %next{k}, {self.n}",
            f"  br i1 %more{k}, label %loop{k}, label %after{k}",
            f"after{k}:",
        ]

    def after(self, name: str) -> str:
        """The last value that a loop carried."""
        return f"%{name}next{self.loops}"

    def run(self, name: str, *arrays: str) -> None:
        self.text.append(f"  call void @{name}({', '.join(f'ptr {a}' for a in arrays)})")

    def stage(self, s: int) -> str:
        """The array of a stage's increments."""
        return self.do(f"getelementptr {V}, ptr %k, i64 {s * self.n}")


def step(n: int) -> str:
    """step(y, q, infusion, h, a, k, tolerance, new, error): `error` receives the error over the tolerance,
    and 0.9 of its fourth root's inverse within 0.2 to 6, the factor of the next step; `tolerance` holds rtol,
    then each state's atol.
    """
    b = Body(n)
    h = b.load("%h", 0)
    inverse = b.binary("div", real(1.0), h)
    b.store(b.binary("mul", inverse, real(1 / GAMMA)), "%error", 0)
    b.run("factor", "%y", "%q", "%error", "%a")
    stages = [b.stage(s) for s in range(6)]
    for s in range(6):
        if s:
            i, _ = b.begin()
            total = b.load("%y", i) if s < 5 else b.load("%new", i)
            for weight, k in zip(_A[s - 1], stages, strict=False) if s < 5 else ((1.0, stages[4]),):
                total = b.fma(b.load(k, i), real(weight), total)
            b.store(total, "%new", i)
            b.end()
        b.run("rates", "%new" if s else "%y", "%q", "%infusion", stages[s])
        if s:
            i, _ = b.begin()
            total = b.binary("mul", b.load(stages[0], i), real(_C[s - 1][0]))
            for weight, k in zip(_C[s - 1][1:], stages[1:], strict=False):
                total = b.fma(b.load(k, i), real(weight), total)
            b.store(b.fma(total, inverse, b.load(stages[s], i)), stages[s], i)
            b.end()
        b.run("solve", "%a", stages[s])
    _error(b, stages[5])
    return function("step", ("y", "q", "infusion", "h", "a", "k", "tolerance", "new", "error"), b)


def pace(n: int) -> str:
    """pace(y, q, infusion, tolerance, d, pace): the fastest relative change of a state, per time; zero states
    apart.
    """
    b = Body(n)
    b.run("rates", "%y", "%q", "%infusion", "%d")
    inverse = b.inverse(b.load("%tolerance", 0))
    absolute = b.place("%tolerance", 1)
    i, carried = b.begin(fastest=real(0.0))
    size = b.magnitude(b.load("%y", i))
    own = b.binary(
        "mul", b.magnitude(b.load("%d", i)), b.inverse(b.fma(b.load(absolute, i), inverse, size), 1)
    )
    own = b.choose(b.compare("ogt", size, real(0.0)), own, real(0.0))
    b.end(fastest=b.choose(b.compare("ogt", own, carried["fastest"]), own, carried["fastest"]))
    b.store(b.after("fastest"), "%pace", 0)
    return function("pace", ("y", "q", "infusion", "tolerance", "d", "pace"), b)


def _error(b: Body, last: str) -> None:
    """Adds the last increment, and measures it state by state."""
    rtol = b.load("%tolerance", 0)
    absolute = b.place("%tolerance", 1)
    i, carried = b.begin(sum=real(0.0))
    change = b.load(last, i)
    new = b.binary("add", b.load("%new", i), change)
    b.store(new, "%new", i)
    old = b.magnitude(b.load("%y", i))
    size = b.magnitude(new)
    part = b.binary("mul", change, b.inverse(b.fma(b.larger(old, size), rtol, b.load(absolute, i)), 1))
    b.end(sum=b.fma(part, part, carried["sum"]))
    error = b.do(f"call {V} @llvm.sqrt.v{LANES}f64({V} {b.binary('mul', b.after('sum'), real(1 / b.n))})")
    b.store(error, "%error", 0)
    bounded = b.choose(b.compare("ogt", error, real(1e-10)), error, real(1e-10))
    for _ in range(2):
        bounded = b.do(f"call {V} @llvm.sqrt.v{LANES}f64({V} {bounded})")
    factor = b.binary("div", real(0.9), bounded)
    factor = b.choose(b.compare("olt", factor, real(0.2)), real(0.2), factor)
    b.store(b.choose(b.compare("ogt", factor, real(6.0)), real(6.0), factor), "%error", 1)
