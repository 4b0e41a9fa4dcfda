"""The cache folder: kept values come back to the bit, and nothing in the folder does more harm than cost
time.
"""

import os
import pickle
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pkpd.content import units
from pkpd.machine import cache, plain
from pkpd.model.compose import _KEPT, load_model
from pkpd.solve import compile as compiler


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("PKPD_CACHE", str(tmp_path / "cache"))
    cache._TOLD.clear()
    return tmp_path / "cache"


@dataclass(frozen=True)
class Thing:
    name: str
    size: float
    parts: tuple = ()


VALUES = [
    0,
    -3,
    10**30,
    0.1,
    5e-324,
    -0.0,
    float("inf"),
    'µ\n"',
    "",
    True,
    None,
    (),
    (1, (2.5, "a")),
    [1, [2]],
    {"a": {"b": 1}},
    {1: (2,)},
    Fraction(1, 3),
    Thing("a", 0.1, (Fraction(-2, 7), None, Thing("b", 1.0))),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_kept_value_comes_back_equal_and_of_its_kinds(value):
    back = plain.from_text(plain.to_text(value), Thing)
    assert back == value and repr(back) == repr(value)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3) / 7,
        np.array([np.nan, np.inf, -0.0]),
        np.zeros((0, 3)),
        np.array([1, -2]),
        np.array([True, False]),
        np.asfortranarray(np.eye(3)[:, :2] / 3),
    ],
)
def test_a_kept_array_comes_back_to_the_bit(array):
    back = plain.from_text(plain.to_text((array,)))[0]
    assert back.dtype == array.dtype and back.shape == array.shape and back.tobytes() == array.tobytes()
    back += 1 if back.dtype != bool else True  # it can be written to


def test_a_number_of_numpy_is_kept_as_that_number():
    assert plain.from_text(plain.to_text((np.float64(0.1), np.int64(3), np.bool_(True)))) == (0.1, 3, True)


@pytest.mark.parametrize(
    "text",
    [
        '{"Path": ["/"]}',
        '{"system": ["touch x"]}',
        '{"array": ["O", [1], ""]}',
        "{}",
        "{",
        "",
        '{"Thing": []}',
        '{"fraction": [1, 0]}',
        '{"a": 1, "b": 2}',
    ],
)
def test_a_text_that_was_not_written_by_it_is_an_error_and_nothing_else(text):
    with pytest.raises((KeyError, ValueError, TypeError, ZeroDivisionError)):
        plain.from_text(text, Thing)


def test_what_is_no_data_cannot_be_kept():
    with pytest.raises(TypeError, match="function is not plain data"):
        plain.to_text([lambda: 0])


# --- where it lies, and whose it is -----------------------------------


def test_the_cache_lies_where_the_user_says_and_is_the_user_s_alone(own):
    assert cache.folder() == own and stat.S_IMODE(own.stat().st_mode) == 0o700
    cache.save("kind", "key", b"x")
    assert stat.S_IMODE((own / "kind").stat().st_mode) == 0o700
    assert stat.S_IMODE((own / "kind" / "key").stat().st_mode) == 0o600


def test_the_cache_lies_in_the_user_s_cache_folder_by_default(tmp_path, monkeypatch):
    monkeypatch.delenv("PKPD_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.folder() == tmp_path / "xdg" / "pkpd"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache.folder() == tmp_path / "home" / ".cache" / "pkpd"


@pytest.mark.parametrize("mask", [0o002, 0o000, 0o077])
def test_files_are_kept_and_read_whatever_rights_new_files_have(mask):
    before = os.umask(mask)
    try:
        cache.save("kind", "key", b"x")
        assert cache.load("kind", "key") == b"x"
    finally:
        os.umask(before)


def test_where_no_folder_can_be_made_all_is_made_each_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("PKPD_CACHE", str(tmp_path / "file" / "cache"))
    make, made = counted(7)
    assert cache.folder() is None
    assert [cache.remember("kind", "key", make) for _ in range(2)] == [7, 7] and len(made) == 2
    cache.checkpoint("fit", "a", 1)
    cache.forget("fit", "a")
    assert cache.restore("fit", "a") is None


@pytest.mark.parametrize("rights", [0o777, 0o770, 0o1777, 0o702])
def test_a_folder_that_others_can_write_is_not_used_and_that_is_told_once(own, rights, caplog):
    cache.save("kind", "key", b"x")
    own.chmod(rights)
    assert cache.load("kind", "key") is None and cache.folder() is None
    cache.save("kind", "other", b"x")
    assert os.listdir(own / "kind") == ["key"]
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{own}: others could have written this cache folder, so it is not used: everything is made anew "
        f"each time\n"
        "    remedy: chmod 700 it if it is yours alone, or set PKPD_CACHE to a folder that is"
    )


def test_a_folder_of_another_user_is_not_used(own, monkeypatch):
    cache.save("kind", "key", b"x")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert cache.load("kind", "key") is None and cache.folder() is None


@pytest.mark.parametrize("name", ["kind", "kind/key"])
def test_a_folder_or_file_within_that_others_can_write_is_not_read(own, name):
    cache.save("kind", "key", b"x")
    (own / name).chmod(0o777)
    assert cache.load("kind", "key") is None


@pytest.mark.parametrize("name", ["kind", "kind/key"])
def test_a_link_within_is_not_followed(own, tmp_path, name):
    cache.save("kind", "key", b"x")
    (own / name).rename(tmp_path / "elsewhere")
    (own / name).symlink_to(tmp_path / "elsewhere")
    assert cache.load("kind", "key") is None


def test_a_pipe_in_place_of_a_file_stops_nothing(own):
    cache.save("kind", "key", b"x")
    (own / "kind" / "key").unlink()
    os.mkfifo(own / "kind" / "key", 0o600)
    assert cache.load("kind", "key") is None


# --- what is damaged, exchanged or planted ----------------------------


def counted(value: object):
    made: list[int] = []

    def make() -> object:
        made.append(1)
        return value

    return make, made


def test_a_value_is_made_once_and_then_remembered():
    make, made = counted({"a": np.arange(3)})
    first, second = cache.remember("kind", "key", make), cache.remember("kind", "key", make)
    assert len(made) == 1 and first["a"].tolist() == second["a"].tolist() == [0, 1, 2]


def test_values_of_other_kinds_and_keys_are_kept_apart():
    places = (("a", "x"), ("a", "y"), ("b", "x"))
    assert [cache.remember(*where, lambda w=where: w) for where in places] == [*places]


def test_what_cannot_be_made_is_not_remembered():
    with pytest.raises(ZeroDivisionError):
        cache.remember("kind", "key", lambda: 1 / 0)
    assert cache.remember("kind", "key", lambda: 5) == 5


@pytest.mark.parametrize("bit", range(8))
def test_one_flipped_bit_anywhere_is_never_loaded(own, bit):
    cache.save("kind", "key", b'{"fraction":[1,3]}')
    file, content = own / "kind" / "key", (own / "kind" / "key").read_bytes()
    for at in range(len(content)):
        file.write_bytes(content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :])
        assert cache.load("kind", "key") is None, at


def test_a_cut_file_is_never_loaded_at_any_length(own):
    cache.save("kind", "key", b"0123456789")
    file, content = own / "kind" / "key", (own / "kind" / "key").read_bytes()
    for length in range(len(content)):
        file.write_bytes(content[:length])
        assert cache.load("kind", "key") is None, length


def test_a_file_under_another_s_name_is_not_loaded(own):
    cache.save("kind", "a", b"1")
    shutil.copy(own / "kind" / "a", own / "kind" / "b")
    assert cache.load("kind", "b") is None and cache.load("kind", "a") == b"1"


class Planted:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, sign: Path):
        self.sign = sign

    def __reduce__(self):
        return (Path.touch, (self.sign,))


def test_a_planted_pickle_runs_no_code(own, tmp_path):
    sign = tmp_path / "sign"
    for kind, name in (("kind", "key"), ("kind", "key.pickle"), ("fit", "a.checkpoint"), ("fit", "a")):
        (own / kind).mkdir(parents=True, exist_ok=True)
        (own / kind / name).write_bytes(pickle.dumps(Planted(sign)))
        (own / kind / name).chmod(0o600)
    own.chmod(0o700)
    assert (
        cache.remember("kind", "key", lambda: 5) == 5
        and cache.restore("fit", "a") is None
        and not sign.exists()
    )
    cache.save("fit", "b.checkpoint", pickle.dumps(Planted(sign)))  # with a digest, too
    assert cache.restore("fit", "b") is None and not sign.exists()


def test_a_kept_unit_that_is_changed_is_never_another_unit(own):
    for text in ("mg/L", "1/day"):
        units._parsed.cache_clear()
        right = units.parse_unit(text)
    (file, *_) = sorted((own / "units").iterdir())
    content = file.read_bytes()
    for at in range(0, len(content), 3):
        file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        units._parsed.cache_clear()
        assert units.parse_unit("1/day") == right and units.ratio("g/L", "mg/L") == 1000
    units._parsed.cache_clear()


@pytest.mark.parametrize("name", ["systems/crlm_immune", "systems/crlm_folfox", "drugs/oxaliplatin"])
def test_a_model_is_kept_as_data_and_comes_back_the_same(name):
    model = load_model(name)
    back = plain.from_text(plain.to_text(model), *_KEPT)
    assert back == model and back.hash == model.hash and repr(back) == repr(model)


def test_a_checkpoint_is_restored_until_it_is_forgotten():
    assert cache.restore("fit", "a") is None
    cache.checkpoint("fit", "a", {"step": 3})
    cache.checkpoint("fit", "a", {"step": 4})
    assert cache.restore("fit", "a") == {"step": 4} and cache.restore("fit", "b") is None
    cache.forget("fit", "a")
    assert cache.restore("fit", "a") is None
    cache.forget("fit", "a")


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(own, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    cache.checkpoint("fit", "a", 1)
    monkeypatch.setattr(os, "replace", full)
    cache.checkpoint("fit", "a", 2)
    assert cache.restore("fit", "a") == 1 and os.listdir(own / "fit") == ["a.checkpoint"]


RUN = """
import sys, numpy as np, pkpd
model = pkpd.load_model("drugs/oxaliplatin")
run = pkpd.simulate(model, pkpd.draw(model, pkpd.load_parameters((), model), 2, seed=1), times=(0.0, 1.0))
print(run.states.tobytes().hex()[:80])
"""


def ran(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        capture_output=True,
        text=True,
        env={**os.environ, "PKPD_CACHE": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def warm(tmp_path_factory) -> Path:
    """A folder in which everything of a simulation is kept."""
    folder = tmp_path_factory.mktemp("warm")
    folder.chmod(0o700)
    ran(folder)
    return folder


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda c: c[: len(c) // 2],
        lambda c: c[:-1],
        lambda c: c[: len(c) // 2] + bytes([c[len(c) // 2] ^ 4]) + c[len(c) // 2 + 1 :],
    ],
    ids=["emptied", "cut", "short of a byte", "changed"],
)
@pytest.mark.slow  # the driver is compiled anew in each
def test_whatever_file_is_damaged_the_next_run_makes_it_anew(warm, tmp_path, spoil):
    whole = ran(warm)
    spoilt = tmp_path / "spoilt"
    shutil.copytree(warm, spoilt)
    files = [f for f in spoilt.rglob("*") if f.is_file()]
    assert {f.parent.name for f in files} == {"driver", "kernels", "models", "units"}
    for file in files:
        file.write_bytes(spoil(file.read_bytes()))
    assert ran(spoilt) == whole and ran(spoilt) == whole
    assert {f.relative_to(spoilt): f.stat().st_size for f in files if f.parent.name != "driver"} == {
        f.relative_to(warm): f.stat().st_size
        for f in warm.rglob("*")
        if f.is_file() and f.parent.name != "driver"
    }


def test_a_damaged_driver_is_told_apart_before_it_is_run(own, monkeypatch):
    """What the compiler would be handed is checked: see the slow test for whole runs."""
    from pkpd.solve.driver import _Kept

    class Context:
        def refresh(self):
            pass

        def codegen(self):
            return self

        def magic_tuple(self):
            return ("x",)

    kept, handed = _Kept("f"), []
    monkeypatch.setattr("pkpd.solve.driver.CompileResult._rebuild", lambda *x: handed.append(x) or "code")
    key = kept._key("s", Context())
    cache.save("driver", key, pickle.dumps((1, 2)))
    assert kept.load_overload("s", Context()) == "code" and len(handed) == 1
    cache.save("driver", key, b"")  # emptied by other code, with a digest
    assert kept.load_overload("s", Context()) is None
    (own / "driver" / key).write_bytes(b"")
    assert kept.load_overload("s", Context()) is None and len(handed) == 1


def test_kernels_are_made_where_nothing_can_be_kept(own, monkeypatch):
    monkeypatch.setattr(compiler, "_LOADED", {})
    own.mkdir()
    own.chmod(0o777)
    assert compiler.kernels(load_model("drugs/leucovorin")).states and os.listdir(own) == []


def test_processes_that_keep_the_same_thing_at_once_do_not_disturb_one_another(own):
    code = (
        "import sys\nfrom pkpd.machine import cache\n"
        "for i in range(60):\n"
        "    cache.save('kind', 'key', b'x' * (100000 + i))\n"
        "    found = cache.load('kind', 'key')\n"
        "    assert found is not None and set(found) == {120}, found\n"
    )
    crew = [
        subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert [(p.communicate()[1], p.returncode) for p in crew] == [("", 0)] * 3
    assert os.listdir(own / "kind") == ["key"]
