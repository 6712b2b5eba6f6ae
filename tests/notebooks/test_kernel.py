"""A real Jupyter kernel with a cluster in it: what a person at a notebook meets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import start_new_kernel
from processes import descendants

TIMEOUT_S = 120


class Notebook:
    """Cells sent to one kernel."""

    def __init__(self, client: BlockingKernelClient, manager: Any) -> None:
        self.client, self.manager = client, manager

    def cell(self, code: str, on_output: Any = None) -> tuple[str, list[dict[str, Any]]]:
        """Run a cell; return the name of its exception ("" if none) and its outputs."""
        outputs: list[dict[str, Any]] = []

        def keep(message: dict[str, Any]) -> None:
            outputs.append({"kind": message["header"]["msg_type"], **message["content"]})
            if on_output is not None:
                on_output(outputs[-1])

        reply = self.client.execute_interactive(
            code, output_hook=keep, timeout=TIMEOUT_S, allow_stdin=False
        )
        return reply["content"].get("ename", ""), outputs


@pytest.fixture(scope="module")
def notebook() -> Iterator[Notebook]:
    """A kernel with two ranks started."""
    environment = {name: value for name, value in os.environ.items() if "MATEXAPPS" not in name}
    manager, client = start_new_kernel(kernel_name="python3", env=environment)
    before = descendants()
    notebook = Notebook(client, manager)
    failed, outputs = notebook.cell("from matexapps import Cluster\ncluster = Cluster(2).start()")
    assert failed == "", outputs
    yield notebook
    client.stop_channels()
    manager.shutdown_kernel()
    assert descendants() <= before


def text(outputs: list[dict[str, Any]]) -> str:
    """What the outputs say, without colours."""
    parts = [output.get("text", "") for output in outputs]
    parts += ["\n".join(output.get("traceback", [])) for output in outputs]
    parts += [output["data"]["text/plain"] for output in outputs if "data" in output]
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(parts))


def test_a_function_of_a_cell_runs_on_the_ranks(notebook):
    failed, outputs = notebook.cell("def twice(x):\n    return 2 * x\ncluster.run(twice, 21)")
    assert failed == ""
    assert "[42, 42]" in text(outputs)


def test_the_traceback_shows_the_line_of_the_cell_and_nothing_of_ours(notebook):
    failed, outputs = notebook.cell(
        "def careful(x):\n    values = [1, 2]\n    return values[x]  # the user's own line\n\n"
        "cluster.run(careful, 7)"
    )
    shown = text(outputs)
    assert failed == "ClusterError"
    assert shown.lstrip().startswith("IndexError on rank 0 of 2 on ")
    assert "return values[x]  # the user's own line" in shown
    assert "CompositeError" not in shown
    assert "on_engine.py" not in shown
    assert shown.count("IndexError: list index out of range") == 1


def test_progress_is_one_bar_that_is_redrawn(notebook):
    failed, outputs = notebook.cell(
        "def steps():\n"
        "    import time\n"
        "    from matexapps import progress\n"
        "    from matexapps.comm.world import open_world\n"
        "    with open_world() as comm:\n"
        "        for done in range(1, 6):\n"
        "            progress.report({'kind': 'work', 'rank': comm.rank, 'what': 'counting',\n"
        "                'done': done, 'total': 5, 'unit': 'sheep', 'world_size': 2})\n"
        "            time.sleep(0.3)\n"
        "_ = cluster.run(steps)"
    )
    assert failed == ""
    first, *later = [output for output in outputs if "data" in output]
    assert first["kind"] == "display_data"
    assert {output["kind"] for output in later} == {"update_display_data"}
    names = {output["transient"]["display_id"] for output in [first, *later]}
    assert len(names) == 1
    assert "10 of 10 sheep" in later[-1]["data"]["text/html"]
    assert "width:100.0%" in later[-1]["data"]["text/html"]
    assert "done after" in later[-1]["data"]["text/plain"]


@pytest.mark.parametrize(
    "body",
    ["        while True:\n            time.sleep(0.01)", "        comm.barrier()"],
    ids=["computing", "in a collective"],
)
def test_stop_ends_the_cell_on_all_ranks_and_the_next_cell_runs(notebook, body):
    _, before = notebook.cell("print(cluster.run('os:getpid'))")
    code = (
        "def endless():\n"
        "    import time\n"
        "    from matexapps.comm.world import open_world\n"
        "    with open_world() as comm:\n"
        "        comm.barrier()\n"
        "        print('under way', flush=True)\n"
        "        if comm.rank == 0:\n"
        "            while True:\n"
        "                time.sleep(0.01)\n"
        f"{body}\n"
        "cluster.run(endless)"
    )
    pressed = []

    def press_stop_once(output: dict[str, Any]) -> None:
        if "under way" in output.get("text", "") and not pressed:
            pressed.append(True)
            notebook.manager.interrupt_kernel()

    failed, outputs = notebook.cell(code, press_stop_once)
    assert failed == "KeyboardInterrupt", text(outputs)
    failed, after = notebook.cell("print(cluster.run('os:getpid'))")
    assert failed == ""
    assert text(after) == text(before)


def test_stop_in_the_middle_of_training_and_the_next_fit_works(notebook):
    prepare = (
        "import numpy as np\nfrom torch import nn\nfrom matexapps import Callback, DataSet\n"
        "rows = np.random.default_rng(0).normal(size=(2000, 4))\n"
        "data = DataSet.from_arrays(rows, (rows[:, 0] > 0).astype(float))\n"
        "class Speak(Callback):\n"
        "    def on_epoch_end(self, *_, **__):\n"
        "        print('under way', flush=True)\n"
        "pids = cluster.run('os:getpid')"
    )
    failed, outputs = notebook.cell(prepare)
    assert failed == "", outputs
    pressed = []

    def press_stop_once(output: dict[str, Any]) -> None:
        if "under way" in output.get("text", "") and not pressed:
            pressed.append(True)
            notebook.manager.interrupt_kernel()

    failed, outputs = notebook.cell(
        "cluster.fit(nn.Linear(4, 1), data, epochs=100_000, batch_size=100, callbacks=[Speak()])",
        press_stop_once,
    )
    assert failed == "KeyboardInterrupt", text(outputs)
    failed, outputs = notebook.cell(
        "result = cluster.fit(nn.Linear(4, 1), data, epochs=2, batch_size=100)\n"
        "print(len(result.history), cluster.run('os:getpid') == pids)"
    )
    assert failed == "", text(outputs)
    assert "2 True" in text(outputs)


def test_ranks_that_cannot_be_stopped_are_ended_and_the_next_cell_has_new_ones(notebook):
    notebook.cell("pids = cluster.run('os:getpid')")
    pressed = []

    def press_stop_once(output: dict[str, Any]) -> None:
        if "under way" in output.get("text", "") and not pressed:
            pressed.append(True)
            notebook.manager.interrupt_kernel()

    failed, outputs = notebook.cell(
        "def stuck():\n"
        "    import signal\n"
        "    from mpi4py import MPI\n"
        "    signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "    print('under way', flush=True)\n"
        "    MPI.COMM_WORLD.recv()  # a message that nobody sends\n"
        "cluster.run(stuck)",
        press_stop_once,
    )
    assert failed == "KeyboardInterrupt"
    assert "the next use of the cluster starts new ones" in text(outputs)
    failed, outputs = notebook.cell("print(set(cluster.run('os:getpid')).isdisjoint(pids))")
    assert failed == ""
    assert "True" in text(outputs)


def test_prints_of_ranks_appear_in_the_cell(notebook):
    failed, outputs = notebook.cell("_ = cluster.run(print, 'good morning')")
    assert failed == ""
    assert "[rank 0] good morning" in text(outputs)
    assert "[rank 1] good morning" in text(outputs)
