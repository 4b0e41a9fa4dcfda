"""exp, log, powers and Hill functions for LANES patients at a time, to the last digit or two."""

from __future__ import annotations

from collections.abc import Callable
from math import factorial

from pkpd.solve.vector import ESTIMATES, LANES, B, I, Lines, V, real, whole

_LN2_HIGH, _LN2_LOW = (
    float.fromhex("0x1.62E42FEEp-1"),
    float.fromhex("0x1.A39EF35793C76p-33"),
)  # the first exact times an integer
_SHIFT = 1.5 * 2.0**52  # adding it rounds to an integer, held in the last bits
_MIN, _MAX = 2.2250738585072014e-308, 1.7976931348623157e308


def _polynomial(c: Lines, x: str, coefficients: list[float]) -> str:
    """Even and odd powers side by side, so that neither waits for the other."""
    square = c.binary("mul", x, x)
    halves = []
    for first in (0, 1):
        own = coefficients[first::2]
        total = real(own[-1])
        for a in reversed(own[:-1]):
            total = c.fma(total, square, real(a))
        halves.append(total)
    return c.fma(halves[1], x, halves[0])


def _exp(c: Lines, x: str) -> str:
    """exp(x) = 2^n exp(r), |r| <= ln(2)/2, by its Taylor series."""
    t = c.fma(x, real(1.4426950408889634), real(_SHIFT))
    n = c.binary("sub", t, real(_SHIFT))
    r = c.fma(n, real(-_LN2_HIGH), x)
    r = c.fma(n, real(-_LN2_LOW), r)
    series = _polynomial(c, r, [1 / factorial(k) for k in range(14)])
    bits = c.do(f"bitcast {V} {t} to {I}")
    half = c.do(f"add {I} {bits}, {whole(1022)}")  # 2^(n-1), then doubled: n may be 1024
    scale = c.do(f"bitcast {I} {c.do(f'shl {I} {half}, {whole(52)}')} to {V}")
    y = c.binary("mul", c.binary("mul", series, scale), real(2.0))
    y = c.choose(c.compare("olt", x, real(-708.0)), real(0.0), y)
    y = c.choose(c.compare("ogt", x, real(709.782712893384)), real(float("inf")), y)
    return c.choose(c.compare("uno", x, x), x, y)


def _log(c: Lines, x: str) -> str:
    """log(2^k m) = k ln 2 + 2 artanh(s), s = (m - 1) / (m + 1), m from 0.7 to 1.4."""
    bits = c.do(f"bitcast {V} {x} to {I}")
    high = c.do(f"sub {I} {bits}, {whole(0x3FE6A09E667F3BCD)}")
    k = c.do(f"ashr {I} {high}, {whole(52)}")
    mantissa = c.do(f"sub {I} {bits}, {c.do(f'shl {I} {k}, {whole(52)}')}")
    f = c.binary("sub", c.do(f"bitcast {I} {mantissa} to {V}"), real(1.0))
    s = c.binary("mul", f, c.inverse(c.binary("add", f, real(2.0))))
    z = c.binary("mul", s, s)
    series = _polynomial(c, z, [2 / odd for odd in range(3, 23, 2)])
    tail = c.binary("mul", c.binary("mul", series, z), s)
    number = c.do(f"sitofp {I} {k} to {V}")
    low = c.fma(number, real(_LN2_LOW), tail)
    # 2 s = f - s f, the rounding of s told apart
    main = c.binary("sub", f, c.binary("mul", s, f))
    y = c.fma(number, real(_LN2_HIGH), c.binary("add", main, low))
    y = c.choose(c.compare("olt", x, real(_MIN)), real(float("-inf")), y)
    y = c.choose(c.compare("olt", x, real(0.0)), real(float("nan")), y)
    y = c.choose(c.compare("ogt", x, real(_MAX)), x, y)
    return c.choose(c.compare("uno", x, x), x, y)


def _power(c: Lines, x: str, y: str) -> str:
    """x^y; of a negative x where y is a whole number."""
    size = c.do(f"call {V} @llvm.fabs.v{LANES}f64({V} {x})")
    raised = c.call("exp", c.binary("mul", y, c.call("log", size)))
    half = c.binary("mul", y, real(0.5))
    whole_number, even = (
        c.compare("oeq", a, c.do(f"call {V} @llvm.floor.v{LANES}f64({V} {a})")) for a in (y, half)
    )
    signed = c.choose(even, raised, c.do(f"fneg {V} {raised}"))
    negative = c.choose(whole_number, signed, real(float("nan")))
    raised = c.choose(c.compare("olt", x, real(0.0)), negative, raised)
    return c.choose(c.compare("oeq", y, real(0.0)), real(1.0), raised)


def _slope_of_power(c: Lines, x: str, slope: str) -> str:
    """A derivative of x^y; one that has no bound at x = 0 is 0 there."""
    bounded = c.compare("olt", c.do(f"call {V} @llvm.fabs.v{LANES}f64({V} {slope})"), real(float("inf")))
    return c.choose(c.compare("oeq", x, real(0.0)), c.choose(bounded, slope, real(0.0)), slope)


def _power_slope(c: Lines, x: str, y: str) -> str:
    """y x^(y - 1)."""
    return _slope_of_power(c, x, c.binary("mul", y, c.call("power", x, c.binary("sub", y, real(1.0)))))


def _power_xx(c: Lines, x: str, y: str) -> str:
    """y (y - 1) x^(y - 2)."""
    factor = c.binary("mul", y, c.binary("sub", y, real(1.0)))
    return _slope_of_power(c, x, c.binary("mul", factor, c.call("power", x, c.binary("sub", y, real(2.0)))))


def _power_y(c: Lines, x: str, y: str) -> str:
    """x^y log(x)."""
    return _slope_of_power(c, x, c.binary("mul", c.call("power", x, y), c.call("log", x)))


def _power_xy(c: Lines, x: str, y: str) -> str:
    """x^(y - 1) (1 + y log(x))."""
    inner = c.fma(y, c.call("log", x), real(1.0))
    return _slope_of_power(c, x, c.binary("mul", c.call("power", x, c.binary("sub", y, real(1.0))), inner))


def _ratio(c: Lines, x: str, k: str, n: str) -> tuple[str, str]:
    """(x / k)^n, bounded so that its square is a number, and whether x > 0."""
    positive = c.compare("ugt", x, real(0.0))  # what is missing stays so
    ratio = c.binary("div", c.choose(positive, x, k), k)
    raised = c.call("power_unless_one", ratio, n)
    return c.choose(c.compare("ogt", raised, real(1e150)), real(1e150), raised), positive


def _hill(c: Lines, x: str, k: str, n: str) -> str:
    r, positive = _ratio(c, x, k, n)
    return c.choose(positive, c.binary("div", r, c.binary("add", r, real(1.0))), real(0.0))


def _at_zero(c: Lines, x: str, n: str, value: str) -> str:
    """A slope for x <= 0: that of the straight start at 0 if n is 1, else 0."""
    straight = c.choose(c.compare("oeq", n, real(1.0)), value, real(0.0))
    return c.choose(c.compare("oeq", x, real(0.0)), straight, real(0.0))


def _hill_x(c: Lines, x: str, k: str, n: str) -> str:
    r, positive = _ratio(c, x, k, n)
    one = c.binary("add", r, real(1.0))
    below = c.binary("mul", c.choose(positive, x, k), c.binary("mul", one, one))
    slope = c.binary("div", c.binary("mul", n, r), below)
    return c.choose(positive, slope, _at_zero(c, x, n, c.binary("div", real(1.0), k)))


def _shares(c: Lines, r: str) -> tuple[str, str, str]:
    """u = r / (1 + r), 1 - u and u (1 - u)."""
    rest = c.binary("div", real(1.0), c.binary("add", r, real(1.0)))
    u = c.binary("mul", r, rest)
    return u, rest, c.binary("mul", u, rest)


def _hill_n(c: Lines, x: str, k: str, n: str) -> str:
    """d hill / dn = u (1 - u) log(x / k)."""
    r, positive = _ratio(c, x, k, n)
    *_, both = _shares(c, r)
    slope = c.binary("mul", both, c.call("log", c.binary("div", c.choose(positive, x, k), k)))
    return c.choose(positive, slope, real(0.0))


def _hill_xx(c: Lines, x: str, k: str, n: str) -> str:
    """d2 hill / dx2 = n u (1 - u) (n - 1 - 2 n u) / x^2."""
    r, positive = _ratio(c, x, k, n)
    u, _, both = _shares(c, r)
    safe = c.choose(positive, x, k)
    inner = c.binary("sub", c.binary("sub", n, real(1.0)), c.binary("mul", c.binary("mul", real(2.0), n), u))
    curve = c.binary("div", c.binary("div", c.binary("mul", c.binary("mul", n, both), inner), safe), safe)
    return c.choose(positive, curve, _at_zero(c, x, n, c.binary("div", real(-2.0), c.binary("mul", k, k))))


def _hill_xn(c: Lines, x: str, k: str, n: str) -> str:
    """d2 hill / dx dn = u (1 - u) (1 + n (1 - 2 u) log(x / k)) / x."""
    r, positive = _ratio(c, x, k, n)
    u, rest, both = _shares(c, r)
    safe = c.choose(positive, x, k)
    log = c.call("log", c.binary("div", safe, k))
    inner = c.binary("add", c.binary("mul", c.binary("mul", n, c.binary("sub", rest, u)), log), real(1.0))
    return c.choose(positive, c.binary("div", c.binary("mul", both, inner), safe), real(0.0))


_DEFINED: dict[str, tuple[Callable, int, tuple[str, ...]]] = {
    "exp": (_exp, 1, ()),
    "log": (_log, 1, ()),
    "power": (_power, 2, ("exp", "log")),
    "power_slope": (_power_slope, 2, ("power",)),
    "power_xx": (_power_xx, 2, ("power",)),
    "power_y": (_power_y, 2, ("power", "log")),
    "power_xy": (_power_xy, 2, ("power", "log")),
    "hill": (_hill, 3, ("power_unless_one",)),
    "hill_x": (_hill_x, 3, ("power_unless_one",)),
    "hill_n": (_hill_n, 3, ("power_unless_one", "log")),
    "hill_xx": (_hill_xx, 3, ("power_unless_one",)),
    "hill_xn": (_hill_xn, 3, ("power_unless_one", "log")),
}
_POWER_UNLESS_ONE = f"""define internal {V} @power_unless_one({V} %x, {V} %n) #0 {{
  %other = fcmp une {V} %n, {real(1.0)}
  %any = call i1 @llvm.vector.reduce.or.v{LANES}i1({B} %other)
  br i1 %any, label %raise, label %keep
raise:
  %raised = call {V} @power({V} %x, {V} %n)
  %chosen = select {B} %other, {V} %raised, {V} %x
  ret {V} %chosen
keep:
  ret {V} %x
}}
"""


_DECLARED = (
    f"declare {V} @llvm.fma.v{LANES}f64({V}, {V}, {V})",
    f"declare {V} @llvm.sqrt.v{LANES}f64({V})",
    f"declare {V} @llvm.fabs.v{LANES}f64({V})",
    f"declare {V} @llvm.floor.v{LANES}f64({V})",
    f"declare i1 @llvm.vector.reduce.or.v{LANES}i1({B})",
)
_ESTIMATE = f"declare {V} @llvm.x86.avx512.rcp14.pd.512({V}, {V}, i8)"


def definitions(used: set[str]) -> str:
    """The functions of these names and what they need, as LLVM text."""
    todo, wanted = sorted(used & {*_DEFINED, "power_unless_one"}), set()
    while todo:
        name = todo.pop()
        if name not in wanted:
            wanted.add(name)
            todo += ("power",) if name == "power_unless_one" else _DEFINED[name][2]
    text = [*_DECLARED, *([_ESTIMATE] if ESTIMATES else []), ""]
    for name in sorted(wanted - {"power_unless_one"}):
        make, count, _ = _DEFINED[name]
        lines = Lines()
        result = make(lines, *(f"%x{i}" for i in range(count)))
        head = ", ".join(f"{V} %x{i}" for i in range(count))
        text.append(
            "\n".join(
                [f"define internal {V} @{name}({head}) #1 {{", *lines.text, f"  ret {V} {result}", "}", ""]
            )
        )
    return "\n".join([*text, _POWER_UNLESS_ONE if "power_unless_one" in wanted else ""])
