"""Real engines: they start as one world, are kept, report failures, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import rank_functions
from processes import runs

from matexapps.cluster.cluster import Cluster
from matexapps.cluster.ranks import engine_processes
from matexapps.errors import ClusterError, DataError
from matexapps.launch import mpiexec, preflight


@pytest.mark.parametrize("n", [1, 3])
def test_every_number_of_ranks_is_one_world(n, nothing_left):
    with Cluster(n) as cluster:
        assert cluster.run(rank_functions.world) == [(rank, n) for rank in range(n)]
        assert list(cluster.status().index) == list(range(n))


def test_ranks_are_kept_between_calls(pair):
    assert pair.run("os:getpid") == pair.run(os.getpid)
    assert len(set(pair.run(os.getpid))) == 2


def test_the_table_of_ranks_says_where_each_one_is(pair):
    table = pair.status()
    assert list(table["pid"]) == pair.run(os.getpid)
    assert {"host", "device", "threads", "memory_gb"} <= set(table.columns)
    assert (table["threads"] >= 1).all()


def test_functions_and_classes_of_this_process_are_sent(pair):
    class Scale:
        def __init__(self, factor):
            self.factor = factor

    def apply(scale, values, shift=0):
        return [scale.factor * value + shift for value in values]

    assert pair.run(apply, Scale(3), [1, 2], shift=1) == [[4, 7], [4, 7]]


def test_relative_paths_mean_the_same_on_ranks(pair, tmp_path, monkeypatch):
    (tmp_path / "note.txt").write_text("here")
    monkeypatch.chdir(tmp_path)
    assert pair.run(lambda: Path("note.txt").read_text()) == ["here", "here"]


def test_what_cannot_be_sent_is_an_error(pair):
    with pytest.raises(ClusterError, match="cannot be sent to the ranks"):
        pair.run(print, threading.Lock())


@pytest.mark.parametrize("rank", [0, 1])
def test_the_failing_rank_is_named_and_the_next_call_works(pair, rank):
    pids = pair.run(os.getpid)
    with pytest.raises(ClusterError) as caught:
        pair.run(rank_functions.fail_on, rank)
    message = str(caught.value)
    assert message.startswith(f"rank {rank} of 2 on ")
    assert f"ValueError: rank {rank} met a broken batch" in message
    assert 'raise ValueError(f"rank {rank} met a broken batch")' in message
    assert "calls.py" not in message
    assert pair.run(os.getpid) == pids
    assert pair.run(rank_functions.world) == [(0, 2), (1, 2)]


def test_ranks_that_compute_are_stopped_too(pair):
    with pytest.raises(ClusterError, match="ValueError: only here"):
        pair.run(rank_functions.fail_outside_of_any_collective, 0)
    assert pair.run(rank_functions.world) == [(0, 2), (1, 2)]


def test_errors_of_ours_keep_their_class(pair):
    with pytest.raises(DataError, match="row 3, column energy: 'abc' is not a number"):
        pair.run(rank_functions.fail_everywhere)


def test_an_unknown_function_is_an_error_not_a_hang(pair):
    with pytest.raises(ClusterError, match="no_such_function"):
        pair.run("math:no_such_function")


def test_progress_of_both_ranks_becomes_one_line(pair, capsys):
    pair.run(rank_functions.report_progress)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(" 50%  epoch 2/4  loss 0.25  5,000 rows/s  slowest rank 0")
    assert "done after" in line


def test_prints_come_with_their_rank(pair, capsys):
    pair.run(rank_functions.speak)
    assert sorted(capsys.readouterr().out.splitlines()) == [
        "[rank 0] hello from 0",
        "[rank 1] hello from 1",
    ]


def test_connection_files_are_for_this_user_only(pair):
    folder = Path(pair._engines._processes.folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = list((folder / "profile_default" / "security").iterdir())
    assert len(files) == 2
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)


@pytest.mark.open_mpi
def test_ranks_listen_on_loopback_only(pair):
    own = psutil.Process(pair._engines._processes._guard.pid).children(recursive=True)
    listening = [
        connection.laddr.ip
        for process in own
        if process.name() not in ("mpiexec", "prterun")
        for connection in process.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert set(listening) == {"127.0.0.1"}


def test_a_stop_during_an_import_lets_the_import_finish(pair, tmp_path, monkeypatch):
    """Some modules, torch among them, cannot be imported again after half an import."""
    imports = tmp_path / "imports"
    (tmp_path / "slow_to_import.py").write_text(
        f"import time\nwith open({str(imports)!r}, 'a') as file:\n    file.write('import ')\n"
        "time.sleep(1)\n\ndef answer():\n    return 42\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def stop():
        while not imports.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=stop).start()
    with pytest.raises(KeyboardInterrupt):
        pair.run("slow_to_import:answer")
    assert pair.run("slow_to_import:answer") == [42, 42]
    assert imports.read_text() == "import import "


def test_stop_leaves_nothing_and_can_be_repeated(nothing_left):
    cluster = Cluster(2).start()
    folder = cluster._engines._processes.folder
    assert cluster.running
    cluster.stop()
    cluster.stop()
    assert not cluster.running
    assert not folder.exists()


def test_an_exception_in_the_block_leaves_nothing(nothing_left):
    with pytest.raises(ZeroDivisionError), Cluster(1):
        _ = 1 / 0


def test_a_start_that_takes_too_long_leaves_nothing(nothing_left):
    with pytest.raises(ClusterError, match=r"within 0 s.*start_timeout_s"):
        Cluster(2, start_timeout_s=0.3).start()


def test_singletons_are_refused_and_leave_nothing(tmp_path, monkeypatch, nothing_left):
    # A launcher of another MPI: N processes that know nothing of each other.
    foreign = tmp_path / "mpiexec"
    foreign.write_text(
        '#!/bin/sh\nn=$2; shift 2; i=0; while [ $i -lt $n ]; do "$@" & i=$((i+1)); done; wait\n'
    )
    foreign.chmod(0o755)
    real = mpiexec.mpiexec_command

    def command(n: int, arguments: list[str], fault_tolerant: bool = False) -> list[str]:
        return [str(foreign), *real(n, arguments)[1:]]

    # Nobody removes the shared memory of singletons that are killed: let it be files of this test.
    monkeypatch.setenv("OMPI_MCA_btl_sm_backing_directory", str(tmp_path))
    monkeypatch.setattr(engine_processes, "mpiexec_command", command)
    monkeypatch.setattr(preflight, "mpiexec_command", command)
    refusal = r"not one world of 2 ranks.*mpiexec belongs to another MPI"
    with pytest.raises(ClusterError, match=refusal):
        Cluster(2).start()


@pytest.mark.open_mpi
@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused")
def test_a_refused_start_is_explained(monkeypatch, nothing_left):
    for name in ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(engine_processes, "mpi_environment", dict)
    with pytest.raises(ClusterError, match="did not start: mpiexec refuses to start ranks as root"):
        Cluster(2).start()


def test_a_process_that_forgets_to_stop_leaves_nothing():
    script = (
        "import os\nfrom matexapps import Cluster\n"
        "cluster = Cluster(2)\nprint(*cluster.run(os.getpid), flush=True)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    assert not any(runs(int(pid)) for pid in result.stdout.split())


def test_a_killed_process_leaves_nothing():
    script = (
        "import os, time\nfrom matexapps import Cluster\n"
        "cluster = Cluster(2)\n"
        "print(*cluster.run(os.getpid), flush=True)\n"
        "time.sleep(120)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pids = [int(pid) for pid in process.stdout.readline().split()]
    guards = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    psutil.wait_procs(guards, timeout=30)
    assert len(pids) == 2
    assert not any(runs(pid) for pid in pids)


@pytest.mark.parametrize(
    ("text", "n"), [("3", 3), (None, 2)], ids=["from the environment", "default"]
)
def test_number_of_ranks_without_n(monkeypatch, text, n):
    monkeypatch.delenv("MATEXAPPS_RANKS", raising=False)
    if text is not None:
        monkeypatch.setenv("MATEXAPPS_RANKS", text)
    assert Cluster().n == n


def test_wrong_numbers_of_ranks_are_refused(monkeypatch):
    with pytest.raises(ClusterError, match="n is 0"):
        Cluster(0)
    monkeypatch.setenv("MATEXAPPS_RANKS", "two")
    with pytest.raises(ClusterError, match="MATEXAPPS_RANKS is 'two'"):
        Cluster()
