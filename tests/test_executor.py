"""Where work runs: threads shared out once, and a Dask cluster that gives the same bits and may lose a
worker.
"""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pkpd import (
    Crowd,
    draw,
    load_fit,
    load_model,
    load_parameters,
    load_regimen,
    load_study,
    load_trial,
    on_cluster,
    run_fit,
    run_study,
    simulate,
    simulate_to_file,
)
from pkpd.content import library
from pkpd.errors import ClusterError, ContentError
from pkpd.fit.predict import predict
from pkpd.machine import cluster, executor
from pkpd.machine.executor import run_all, stream
from pkpd.study.study import Sweep

# --- threads here -----------------------------------------------------


@pytest.fixture
def four(monkeypatch):
    monkeypatch.setenv("PKPD_THREADS", "4")


class Crew:
    """Counts the tasks at work at once, and all that were begun."""

    def __init__(self):
        self.lock, self.now, self.most, self.begun = threading.Lock(), 0, 0, 0

    def work(self, item):
        with self.lock:
            self.now, self.begun = self.now + 1, self.begun + 1
            self.most = max(self.most, self.now)
        time.sleep(0.01)
        with self.lock:
            self.now -= 1
        return item


def test_work_is_spread_over_the_threads(four):
    crew = Crew()
    assert run_all(crew.work, range(20)) == [*range(20)]
    assert crew.most <= 4


def test_tasks_that_spread_work_themselves_share_the_threads(four):
    crew = Crew()
    assert run_all(lambda i: run_all(crew.work, range(i, i + 10)), [0, 10]) == [
        [*range(10)],
        [*range(10, 20)],
    ]
    assert crew.most <= 4
    crew = Crew()
    run_all(lambda i: run_all(crew.work, range(5)), range(8))  # as many tasks as threads: each has one
    assert crew.most <= 4


def test_one_task_alone_has_all_the_threads(four):
    together = threading.Barrier(4, timeout=30)  # broken unless four are at work at once
    assert sorted(run_all(lambda _: run_all(lambda _: together.wait(), range(4)), [0])[0]) == [0, 1, 2, 3]


def test_a_stream_runs_a_few_tasks_ahead_and_no_more(four):
    crew, results = Crew(), []
    for result in stream(crew.work, range(40)):
        results.append(result)
        assert crew.begun <= len(results) + 5
    assert results == [*range(40)]


def test_a_stream_that_is_left_stops(four):
    crew = Crew()
    for _ in stream(crew.work, range(100)):
        break
    time.sleep(0.05)
    assert crew.begun <= 6


def test_an_error_of_a_streamed_task_ends_the_rest(four):
    begun = []

    def task(i: int) -> int:
        begun.append(i)
        time.sleep(0.01)
        return 1 // (3 - i)

    with pytest.raises(ZeroDivisionError):
        list(stream(task, range(100)))
    assert len(begun) < 12


def test_an_executor_that_is_handed_in_is_used_by_a_process_of_one_thread_too(monkeypatch):
    monkeypatch.setenv("PKPD_THREADS", "1")
    with ThreadPoolExecutor(2) as own:
        assert threading.get_ident() not in run_all(lambda _: threading.get_ident(), range(3), own)


# --- a cluster --------------------------------------------------------

CONSOLE = {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT}


class Dask:
    """A scheduler on loopback and workers of one thread each, which stand in a folder of their own."""

    def __init__(self, folder: Path, workers: int, host: str = "127.0.0.1"):
        self.folder, self.kept, self.host = folder, folder / "scheduler.json", host
        self.scheduler = self._start(
            "scheduler",
            "--host",
            host,
            "--port",
            "0",
            "--scheduler-file",
            str(self.kept),
            "--idle-timeout",
            "10 minutes",
        )  # outlives no test run that crashed
        self.address = self._soon(lambda: json.loads(self.kept.read_text())["address"])
        self.workers = [self.start_worker() for _ in range(workers)]

    def _start(self, what: str, *options: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{what}", "--no-dashboard", *options],
            cwd=self.folder,
            **CONSOLE,
        )  # type: ignore[arg-type]

    def start_worker(self) -> subprocess.Popen:
        return self._start(
            "worker",
            self.address,
            "--nthreads",
            "1",
            "--no-nanny",
            "--host",
            self.host,
            "--death-timeout",
            "20",
            "--local-directory",
            str(self.folder / "spill"),
        )

    def wait(self, count: int) -> None:
        """Until this many workers are there."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, 30)

    @staticmethod
    def _soon(read):
        for _ in range(300):
            try:
                return read()
            except (OSError, ValueError):
                time.sleep(0.1)
        raise AssertionError("no scheduler came up")

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def dask(tmp_path_factory):
    own = Dask(tmp_path_factory.mktemp("dask"), 2)
    own.wait(2)
    yield own
    own.stop()


@pytest.fixture
def lone(tmp_path):
    """A scheduler of one's own, to be killed."""
    (tmp_path / "dask").mkdir()
    own = Dask(tmp_path / "dask", 1)
    yield own
    own.stop()


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    """Patients under FOLFOX, in many small blocks."""
    model = load_model("crlm_folfox")
    return Crowd(
        model, load_parameters((), model), tuple(np.arange(0.0, 15.0)), load_regimen("folfox4"), 1, seed=3
    )


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr("pkpd.simulation.streaming._BLOCK", 60_000)


@pytest.fixture
def alone(crowd, small_blocks, tmp_path) -> bytes:
    """The file that one process writes."""
    return simulate_to_file(crowd, 900, tmp_path / "alone.parquet").path.read_bytes()


def test_a_simulation_on_two_workers_is_that_of_one_process_to_the_bit(dask, crowd, alone, tmp_path):
    with on_cluster(dask.address):
        written = simulate_to_file(crowd, 900, tmp_path / "spread.parquet")
    assert written.path.read_bytes() == alone and written.rows == 900 * 15


def test_a_plain_simulation_runs_on_the_cluster_too(dask):
    model = load_model("drugs/oxaliplatin")
    people = draw(model, load_parameters((), model), 600, seed=2)
    here = simulate(model, people, times=(0.0, 5.0), start=np.ones((600, 3)))
    with on_cluster(dask.address):
        there = simulate(model, people, times=(0.0, 5.0), start=np.ones((600, 3)))
    assert np.array_equal(here.states, there.states)


def test_a_worker_killed_half_way_costs_time_only(dask, crowd, alone, tmp_path):
    third = dask.start_worker()
    dask.wait(3)
    told = []

    def kill(what, done, of):
        told.append(done)
        if len(told) == 3:
            os.kill(third.pid, signal.SIGKILL)

    with on_cluster(dask.address):
        written = simulate_to_file(crowd, 900, tmp_path / "killed.parquet", tell=kill)
    assert third.wait() == -signal.SIGKILL and len(told) > 6
    assert written.path.read_bytes() == alone


@pytest.fixture
def own_trial(tmp_path, monkeypatch):
    """A trial of the user's own files, named from a folder that no worker stands in."""
    for kind, name, file in (
        ("trial", "eortc_40983", "trial.toml"),
        ("model", "systems/crlm", "disease.toml"),
        ("model", "systems/folfox_auc_linear", "link.toml"),
        ("regimen", "folfox4", "regimen.toml"),
    ):
        shutil.copy(library.find(kind, name), tmp_path / file)
    text = (tmp_path / "trial.toml").read_text()
    for old, new in (('"systems/crlm"', '"disease.toml"'), ('"folfox4"', '"regimen.toml"')):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "trial.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return load_trial("trial.toml")


def test_a_trial_of_one_s_own_files_needs_none_of_them_on_the_workers(dask, own_trial):
    parameters = load_parameters("crlm_resectable", load_model("disease.toml"))
    here = predict(own_trial, parameters, 40)
    with on_cluster(dask.address):
        assert predict(own_trial, parameters, 40) == here


@pytest.mark.slow
def test_a_study_and_a_fit_on_two_workers_are_those_of_one_process(dask):
    study = replace(
        load_study("neoadjuvant_cycles"),
        patients=40,
        draws=4,
        draws_other_links=3,
        sweeps=(Sweep("six", "", (0, 6), after=6),),
    )
    fit = replace(load_fit("eortc_40983"), patients=60, replicates=60, starts=2, design=24, draws=10)
    results = []
    for address in (None, dask.address):
        with on_cluster(address):
            results.append((run_study(study), run_fit(fit)))
    (one, fit_one), (two, fit_two) = results
    assert repr(one.rows) == repr(two.rows) and repr(one.sensitivity) == repr(two.sensitivity)
    assert np.array_equal(fit_one.draws.scores, fit_two.draws.scores)
    assert (fit_one.best_value, fit_one.calls) == (fit_two.best_value, fit_two.calls)


def test_after_the_block_work_runs_here_again(dask):
    with on_cluster(dask.address):
        assert run_all(os.path.abspath, [".", "."]) == [str(dask.folder)] * 2
    assert run_all(os.path.abspath, [".", "."]) == [os.getcwd()] * 2


# --- what goes wrong with a cluster -----------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "",
        "here",
        "tcp://",
        "tcp://host",
        "http://host:8786",
        "tcp://host:0",
        "tcp://host:99999",
        "tcp://host:8786/",
        "tcp://a b:8786",
        "127.0.0.1:8786",
    ],
)
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(ContentError) as caught, on_cluster(address):
        pass
    assert str(caught.value) == (
        f"--cluster: {address!r} is not the address of a scheduler\n"
        "    remedy: write it as `dask scheduler` prints it: tcp://HOST:PORT"
    )


def test_an_address_where_nothing_listens_is_told(monkeypatch):
    monkeypatch.setattr(cluster, "_CONNECT", 1)
    with pytest.raises(ClusterError) as caught, on_cluster("tcp://127.0.0.1:1"):
        pass
    what, remedy = str(caught.value).splitlines()
    assert what.startswith("tcp://127.0.0.1:1: no scheduler answers (")
    assert remedy == "    remedy: start one with `dask scheduler`, and `dask worker ADDRESS` for each worker"


def test_an_address_of_something_else_is_told(monkeypatch):
    import socket

    monkeypatch.setattr(cluster, "_CONNECT", 1)
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(ClusterError, match="no scheduler answers"),
        on_cluster(f"tcp://127.0.0.1:{other.getsockname()[1]}"),
    ):
        pass


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(
            ClusterError, match=r"Dask is not installed here\n    remedy: pip install 'pkpd-crlm\[cluster\]'"
        ),
        on_cluster("tcp://127.0.0.1:8786"),
    ):
        pass


def test_a_worker_with_other_software_is_refused(dask, monkeypatch):
    monkeypatch.setattr(cluster, "_rests_on", lambda: "pkpd of tomorrow")
    with (
        pytest.raises(ClusterError, match="a worker has other software than this machine"),
        on_cluster(dask.address),
    ):
        run_all(abs, [1, 2])


@pytest.fixture
def other_code(tmp_path, monkeypatch):
    """A copy of the package in which a comment is another, as the workers of `Dask` find it."""
    package = Path(executor.__file__).parents[1]
    shutil.copytree(package, tmp_path / "other" / "pkpd", ignore=shutil.ignore_patterns("__pycache__"))
    changed = tmp_path / "other" / "pkpd" / "solve" / "rodas.py"
    changed.write_text(changed.read_text() + "# another line\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "other"))
    return tmp_path / "other"


def test_a_worker_whose_code_differs_by_a_line_is_refused_from_either_side(dask, other_code, tmp_path):
    (tmp_path / "dask").mkdir()
    lone = Dask(tmp_path / "dask", 1)
    try:
        with (
            pytest.raises(ClusterError, match="a worker has other software than this machine"),
            on_cluster(lone.address),
        ):
            run_all(abs, [1, 2])
    finally:
        lone.stop()
    code = (
        f"import pkpd.machine.executor as e\nwith e.on_cluster({dask.address!r}):\n    "
        f"print(e.run_all(abs, [1, 2]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (
        "pkpd.errors.ClusterError: --cluster: a worker has other software than this machine" in done.stderr
        and not done.stdout
    )


# --- with certificates ------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> dict[str, str]:
    """Dask's settings for a certificate that signs itself."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    key, cert = str(folder / "key.pem"), str(folder / "cert.pem")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            key,
            "-out",
            cert,
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ],
        check=True,
        capture_output=True,
    )
    own = {
        f"{who}__{what}": file
        for who in ("CLIENT", "SCHEDULER", "WORKER")
        for what, file in (("KEY", key), ("CERT", cert))
    }
    return {f"DASK_DISTRIBUTED__COMM__TLS__{k}": v for k, v in {"CA_FILE": cert, **own}.items()}


def test_work_runs_on_a_cluster_that_speaks_tls_with_dask_s_own_certificates(
    certificates, tmp_path, monkeypatch
):
    import dask.config

    for name, value in certificates.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__DEFAULT_SCHEME", "tls")
    (tmp_path / "dask").mkdir()
    secure = Dask(tmp_path / "dask", 1, "tls://127.0.0.1")
    try:
        assert secure.address.startswith("tls://127.0.0.1:")
        with pytest.raises(ClusterError) as caught, on_cluster(secure.address):
            pass
        assert str(caught.value) == (
            f"{secure.address}: Dask has no certificates for TLS\n    remedy: set ca-file, and key and cert "
            f"of the client, "
            "under distributed.comm.tls in Dask's configuration"
        )
        with (
            pytest.raises(ClusterError, match="no scheduler answers"),
            on_cluster(secure.address.replace("tls", "tcp")),
        ):
            pass
        settings = {"distributed.comm.tls.ca-file": certificates["DASK_DISTRIBUTED__COMM__TLS__CA_FILE"]}
        settings |= {
            f"distributed.comm.tls.client.{k.lower()}": certificates[
                f"DASK_DISTRIBUTED__COMM__TLS__CLIENT__{k}"
            ]
            for k in ("KEY", "CERT")
        }
        with dask.config.set(settings), on_cluster(secure.address):
            assert run_all(abs, [-1, 2]) == [1, 2]
        with (
            dask.config.set(settings | {"distributed.comm.tls.ca-file": str(tmp_path / "none.pem")}),
            pytest.raises(
                ClusterError, match=r"Dask's certificates cannot be used \(.*\)\n    remedy: mend distributed"
            ),
            on_cluster(secure.address),
        ):
            pass
    finally:
        secure.stop()


def test_an_error_of_a_task_comes_as_it_is(dask):
    with pytest.raises(ZeroDivisionError), on_cluster(dask.address):
        run_all(partial(divmod, 1), [1, 0])
    with pytest.raises(FileNotFoundError), on_cluster(dask.address):  # not told as the scheduler's
        run_all(os.listdir, ["/nowhere at all"])


def test_a_scheduler_that_goes_away_is_told_and_leaves_no_file(lone, crowd, small_blocks, tmp_path):
    def kill(what, done, of):
        lone.scheduler.kill()

    with (
        pytest.raises(
            ClusterError,
            match="the scheduler went away .*\n    remedy: start it and its workers, and run again",
        ),
        on_cluster(lone.address),
    ):
        simulate_to_file(crowd, 900, tmp_path / "never.parquet", tell=kill)
    assert [f for f in os.listdir(tmp_path) if "never" in f] == []


def test_a_cluster_without_workers_is_told(lone, monkeypatch):
    monkeypatch.setattr(cluster, "_PATIENCE", 0.5)
    lone.wait(1)
    lone.workers[0].kill()
    lone.workers[0].wait()
    with pytest.raises(ClusterError) as caught, on_cluster(lone.address):
        run_all(abs, [1, 2])
    assert str(caught.value) == (
        f"{lone.address}: no worker for 0.5 seconds\n"
        f"    remedy: start `dask worker {lone.address}` and run again"
    )


def test_what_a_fit_sends_is_plain_data():
    from pkpd.fit.likelihood import objective

    fit = replace(load_fit("eortc_40983"), patients=20)
    target = objective(fit)
    again = pickle.loads(pickle.dumps(target.expected))
    assert np.array_equal(again(target.centre), target.expected(target.centre))


def test_a_worker_asks_for_a_task_that_it_has_not_and_keeps_the_last_few(monkeypatch):
    monkeypatch.setattr(cluster, "_KEPT", {})
    here, item = cluster._rests_on(), pickle.dumps(-2)
    assert isinstance(cluster._there(here, "abs", None, item), cluster.Lacking)
    assert cluster._there(here, "abs", pickle.dumps(abs), item) == 2
    assert cluster._there(here, "abs", None, item) == 2
    for name in ("a", "b", "c", "d"):
        assert cluster._there(here, name, pickle.dumps(str), item) == "-2"
    assert isinstance(cluster._there(here, "abs", None, item), cluster.Lacking)


def test_a_worker_that_lacks_a_task_is_sent_it(dask):
    with on_cluster(dask.address):
        assert run_all(abs, range(-5, 0)) == [5, 4, 3, 2, 1]
        later = dask.start_worker()
        dask.wait(3)
        assert run_all(abs, range(-40, 0)) == list(range(40, 0, -1))
    later.kill()
    later.wait()
