"""A real Jupyter kernel with a cluster in it: what a user of a notebook sees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel import Notebook, open_notebook
from processes import descendants


def program(name: str) -> str:
    """The code of a cell."""
    return (Path(__file__).with_name("programs") / f"{name}.py").read_text()


@pytest.fixture(scope="module")
def notebook() -> Iterator[Notebook]:
    """A kernel with two ranks started."""
    before = descendants()
    with open_notebook("from matexapps import Cluster\ncluster = Cluster(2).start()") as notebook:
        yield notebook
    assert descendants() <= before


def test_a_function_of_a_cell_runs_on_the_ranks(notebook):
    assert "[42, 42]" in notebook.good("def twice(x):\n    return 2 * x\ncluster.run(twice, 21)")


def test_the_traceback_shows_the_line_of_the_cell_and_nothing_of_ours(notebook):
    shown = notebook.cell(
        "def careful(x):\n    values = [1, 2]\n    return values[x]  # the user's own line\n\n"
        "cluster.run(careful, 7)"
    )
    assert shown.error == "ClusterError"
    assert shown.text.lstrip().startswith("IndexError on all 2 ranks: ")
    assert "return values[x]  # the user's own line" in shown.text
    assert "CompositeError" not in shown.text
    assert "calls.py" not in shown.text
    assert shown.text.count("IndexError: list index out of range") == 1


def test_progress_is_one_bar_that_is_redrawn(notebook):
    shown = notebook.cell(f"{program('counting')}\n_ = cluster.run(count_sheep)")
    assert shown.error == ""
    bars = [output for output in shown.outputs if "sheep" in str(output.get("data"))]
    first, *later = bars
    assert first["kind"] == "display_data"
    assert {output["kind"] for output in later} == {"update_display_data"}
    assert len({output["transient"]["display_id"] for output in bars}) == 1
    assert "10 of 10 sheep" in later[-1]["data"]["text/html"]
    assert "width:100.0%" in later[-1]["data"]["text/html"]
    assert "done after" in later[-1]["data"]["text/plain"]


@pytest.mark.parametrize("others_compute", [True, False], ids=["computing", "in a collective"])
def test_stop_ends_the_cell_on_all_ranks_and_the_next_cell_runs(notebook, others_compute):
    before = notebook.good("print(cluster.run('os:getpid'))")
    code = f"{program('endless')}\ncluster.run(endless, {others_compute})"
    shown = notebook.cell(code, "under way", notebook.stop)
    assert shown.error == "KeyboardInterrupt", shown.text
    assert "endless was stopped on ranks 0-1" in shown.text
    assert notebook.good("print(cluster.run('os:getpid'))") == before


def test_stop_in_the_middle_of_training_and_the_next_fit_works(notebook):
    notebook.good(
        "import numpy as np\nfrom torch import nn\nfrom matexapps import Callback, DataSet\n"
        "rows = np.random.default_rng(0).normal(size=(2000, 4))\n"
        "data = DataSet.from_arrays(rows, (rows[:, 0] > 0).astype(float))\n"
        "class Speak(Callback):\n"
        "    def on_epoch_end(self, *_, **__):\n"
        "        print('under way', flush=True)\n"
        "pids = cluster.run('os:getpid')"
    )
    shown = notebook.cell(
        "cluster.fit(nn.Linear(4, 1), data, epochs=100_000, batch_size=100, callbacks=[Speak()])",
        "under way",
        notebook.stop,
    )
    assert shown.error == "KeyboardInterrupt", shown.text
    assert "2 True" in notebook.good(
        "result = cluster.fit(nn.Linear(4, 1), data, epochs=2, batch_size=100)\n"
        "print(len(result.history.rows), cluster.run('os:getpid') == pids)"
    )


def test_ranks_that_cannot_be_stopped_are_ended_in_stated_steps(notebook):
    notebook.good("pids = cluster.run('os:getpid')")
    shown = notebook.cell(
        "def stuck():\n"
        "    import signal\n"
        "    from mpi4py import MPI\n"
        "    signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "    print('under way', flush=True)\n"
        "    MPI.Intracomm(MPI.COMM_WORLD).recv()  # a message that nobody sends\n"
        "cluster.run(stuck)",
        "under way",
        notebook.stop,
    )
    assert shown.error == "KeyboardInterrupt"
    assert " did not stop yet; all ranks are ended in 4 s" in shown.text
    assert "MPI.Intracomm(MPI.COMM_WORLD).recv()  # a message that nobody sends" in shown.text
    assert "the next use of the cluster starts new ones" in shown.text
    assert "True" in notebook.good("print(set(cluster.run('os:getpid')).isdisjoint(pids))")


def test_what_all_ranks_print_is_shown_once(notebook):
    text = notebook.good("_ = cluster.run(print, 'good morning')")
    assert text.strip() == "[ranks 0-1] good morning"
