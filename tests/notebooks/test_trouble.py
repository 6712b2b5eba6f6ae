"""Errors, hangs and deaths of ranks in a real kernel: the session stays usable."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kernel import Notebook, open_notebook
from processes import descendants

PREPARE = (
    "%%mpi\nimport os, signal, time\nimport numpy as np\nfrom matexapps import open_world\n"
    "comm = open_world()\nrank, n = comm.rank, comm.world_size"
)
TOTAL = "%%mpi\nparts = np.array([rank + 1.0])\ncomm.all_reduce(parts)\nparts[0].item()"


@pytest.fixture(scope="module", params=[pytest.param(2, marks=pytest.mark.slow), 3])
def notebook(request) -> Iterator[Notebook]:
    """A kernel with ranks that show their stacks after half a second of waiting."""
    before = descendants()
    with open_notebook("%load_ext matexapps") as notebook:
        notebook.good(f"%mpi start -n {request.param} --hang-after 0.5")
        notebook.good(PREPARE)
        notebook.n = request.param
        yield notebook
    assert descendants() <= before


@pytest.fixture
def healthy(notebook) -> Iterator[Notebook]:
    """After the test the ranks must be the same, and work together."""
    pids = notebook.good("print(cluster._engines.pids())")
    yield notebook
    assert total(notebook) == notebook.n * (notebook.n + 1) / 2
    assert notebook.good("print(cluster._engines.pids())") == pids


def total(notebook: Notebook) -> float:
    """The sum over all ranks of rank + 1, as the next good cell gives it."""
    (line,) = [line for line in notebook.good(TOTAL).splitlines() if line.strip()]
    heading, _, value = line.partition("] ")
    assert heading == f"[ranks 0-{notebook.n - 1}"
    return float(value)


@pytest.mark.mpich
@pytest.mark.parametrize("failing", [0, 1])
def test_the_root_cause_comes_first_and_the_others_are_folded(healthy, failing):
    shown = healthy.cell(
        f"%%mpi\nif rank == {failing}:\n    {{}}['mass']  # the user's own line\ncomm.barrier()"
    )
    assert shown.error == "ClusterError"
    kinds = [output["kind"] for output in shown.outputs]
    report = "\n".join(shown.outputs[kinds.index("error")]["traceback"])
    assert f"KeyError\x1b[0m on rank {failing} of {healthy.n} on " in report
    assert "line 3, in <module>\n    {}['mass']  # the user's own line" in report
    assert shown.text.count("KeyError: 'mass'") == 1
    after = shown.outputs[kinds.index("error") + 1 :]
    (folded,) = [o["data"] for o in after if "<details" in str(o.get("data"))]
    assert "What the other ranks were doing" in folded["text/html"]
    assert "line 4: comm.barrier()" in folded["text/plain"]


def test_an_exception_while_others_compute(healthy):
    shown = healthy.cell(
        "%%mpi\nif rank == 0:\n    raise ValueError('a broken row')\nwhile True:\n    sum(range(9))"
    )
    assert "ValueError on rank 0" in shown.text
    assert "a broken row" in shown.text


def test_different_collectives_are_an_error_that_names_both_lines(healthy):
    shown = healthy.cell(
        "%%mpi\nif rank == 0:\n    comm.all_reduce(np.ones(3))\nelse:\n    comm.barrier()"
    )
    assert shown.error == "MismatchedCollectives"
    assert "rank 0: all_reduce(sum) of float64 (3,) at Cell In[" in shown.text
    assert ":3: comm.all_reduce(np.ones(3))" in shown.text
    assert ":5: comm.barrier()" in shown.text


def test_a_hang_shows_every_rank_and_the_suspect_while_stop_works(healthy):
    shown = healthy.cell(
        "%%mpi\nif rank == 1:\n    while True:\n        time.sleep(0.01)  # forgot the others\n"
        "comm.barrier()",
        "rank 1 suspected",
        healthy.stop,
    )
    assert shown.error == "KeyboardInterrupt"
    assert "line 4, in <module>: time.sleep(0.01)  # forgot the others" in shown.text
    assert "line 5, in <module>: comm.barrier()" in shown.text


def test_a_rank_that_left_is_named_when_another_waits_for_it(healthy):
    shown = healthy.cell(
        "%%mpi\nif rank == 0:\n    comm.barrier()", "finished without it", healthy.stop
    )
    assert shown.error == "KeyboardInterrupt"
    assert "rank 0 waiting in barrier" in shown.text


def test_silence_is_examined_and_work_that_goes_on_is_not_disturbed(healthy):
    shown = healthy.cell("%%mpi\ntime.sleep(1.5)\n'done'")
    assert shown.error == ""
    assert "went on" in shown.text
    assert "done" in shown.text


@pytest.mark.mpich
@pytest.mark.parametrize(
    "work",
    [
        "while True:\n    sum(range(1000))",
        "time.sleep(600)",
        "np.linalg.svd(np.ones((300, 300)))\n" * 2000,
        "comm.barrier() if rank else time.sleep(600)",
        "from mpi4py import MPI\nMPI.COMM_WORLD.recv(tag=99)",
        "while True:\n    with open('/dev/zero', 'rb') as file:\n        file.read(10**6)",
    ],
    ids=["Python", "sleep", "a library", "a collective", "mpi4py", "reading"],
)
def test_stop_ends_the_cell_everywhere(healthy, work):
    code = f"%%mpi\nprint('under way', flush=True)\n{work}"
    shown = healthy.cell(code, "under way", healthy.stop)
    assert shown.error == "KeyboardInterrupt"
    assert f"was stopped on ranks 0-{healthy.n - 1}" in shown.text


def test_a_dropped_request_is_an_error(healthy):
    shown = healthy.cell(
        "import threading\n"
        "def drop():\n"
        "    second = cluster._engines.ranks[1].view.targets\n"
        "    cluster._engines.client.abort(targets=second, block=True)\n"
        "threading.Timer(0.5, drop).start()\n"
        "busy = cluster._engines.ranks[1].view.apply_async(__import__('time').sleep, 1.5)\n"
        "cluster.execute('1 + 1')"
    )
    assert shown.error == "ClusterError"
    assert "TaskAborted" in shown.text


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "was ended by signal 9 (SIGKILL: "),
        ("import ctypes; ctypes.string_at(0)  # a crash", "was ended by signal 11 (SIGSEGV: "),
        ("os._exit(3)", "left with exit status 3"),
    ],
    ids=["killed", "crashed", "left"],
)
def test_a_rank_that_ends_is_named_and_one_call_starts_new_ranks(notebook, action, words):
    shown = notebook.cell(
        f"%%mpi\nif rank == 1:\n    print('last words')\n    {action}\ncomm.barrier()"
    )
    assert shown.error == "RanksDied"
    assert "rank 1" in shown.text
    assert words in shown.text
    assert "The last lines of its log, " in shown.text
    if "crash" in action:
        assert "Fatal Python error: Segmentation fault" in shown.text
        assert "line 4 in <module>" in shown.text
    else:
        assert "last words" in shown.text
    notebook.good("%mpi restart")
    notebook.good(PREPARE)
    assert total(notebook) == notebook.n * (notebook.n + 1) / 2


def test_logs_stay_when_their_ranks_are_gone(notebook):
    notebook.good("%%mpi\nprint('to be kept')")
    folder = notebook.good("print(cluster.log_folder)").strip()
    notebook.good("%mpi restart")
    notebook.good(PREPARE)
    assert "to be kept" in notebook.good(f"print(open('{folder}/rank-1.log').read())")
