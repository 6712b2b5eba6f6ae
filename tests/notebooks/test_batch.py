"""Notebooks executed headless, with a real kernel and real engines."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import psutil
import pytest
from processes import runs

from matexapps.batch.pages import write_index
from matexapps.batch.run import NotebookRun, run_notebook
from matexapps.errors import BatchError


@pytest.fixture
def write_notebook(tmp_path):
    """Write a notebook of the given cells; the first one holds the parameters."""

    def write(*cells: str, name: str = "work.ipynb") -> Path:
        notebook = nbformat.v4.new_notebook()
        notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        notebook.cells[0].metadata["tags"] = ["parameters"]
        path = tmp_path / name
        nbformat.write(notebook, path)
        return path

    return write


def output_of(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return "".join(output.get("text", "") for output in outputs)


def test_a_notebook_runs_on_the_ranks_and_with_the_parameters_asked_for(
    write_notebook, tmp_path, monkeypatch
):
    monkeypatch.delenv("MATEXAPPS_RANKS", raising=False)
    path = write_notebook(
        "factor = 1",
        "import os\nfrom matexapps import Cluster\ncluster = Cluster()",
        "values = cluster.run(lambda: factor * 10)\n"
        "print('values', values)\nprint('pids', *cluster.run('os:getpid'))",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2]);",
    )
    before = path.read_bytes()
    run = run_notebook(path, tmp_path / "build", n=3, parameters={"factor": 4})
    printed = output_of(run.notebook)
    assert "values [40, 40, 40]" in printed
    (pids,) = [line.split()[1:] for line in printed.splitlines() if line.startswith("pids")]
    assert len(pids) == 3
    assert not any(runs(int(pid)) for pid in pids)
    assert "data:image/png;base64" in run.page.read_text()
    assert path.read_bytes() == before
    assert sorted(file.name for file in (tmp_path / "build").iterdir()) == [
        "work.html",
        "work.ipynb",
    ]
    assert "MATEXAPPS_RANKS" not in os.environ


def test_a_failing_cell_is_shown_with_output_and_root_cause(write_notebook, tmp_path):
    path = write_notebook(
        "broken_rank = 1",
        "from matexapps import Cluster\ncluster = Cluster()\n"
        "print('pids', *cluster.run('os:getpid'))",
        "def work(broken):\n"
        "    from matexapps.comm.world import open_world\n"
        "    with open_world() as comm:\n"
        "        if comm.rank == broken:\n"
        "            raise RuntimeError('the detector is off')\n"
        "        comm.barrier()\n\n"
        "print('so far so good')\n"
        "cluster.run(work, broken_rank)",
        "print('never')",
    )
    output = tmp_path / "build"
    output.mkdir()
    (output / "work.html").write_text("the good page of last week")
    with pytest.raises(BatchError) as caught:
        run_notebook(path, output, n=2)
    message = str(caught.value)
    assert message.startswith("work.ipynb failed in cell [3] with ClusterError: rank 1 of 2 on ")
    assert "cluster.run(work, broken_rank)" in message
    assert "so far so good" in message
    assert "raise RuntimeError('the detector is off')" in message
    assert (output / "work.html").read_text() == "the good page of last week"
    assert not (output / "work.ipynb").exists()
    printed = output_of(output / "work.failed.ipynb")
    assert "never" not in printed
    pids = next(line.split()[1:] for line in printed.splitlines() if line.startswith("pids"))
    assert not any(runs(int(pid)) for pid in pids)


@pytest.fixture
def start():
    """Start ``matexapps run``, and wait until it has said so."""

    def begin(path: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "matexapps.cli", "run", str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=path.parent,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == f"{path} on 2 ranks\n"
        return process

    return begin


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_kernel_and_engines_and_says_nothing(write_notebook, start, number):
    process = start(
        write_notebook(
            "n = 0",
            "import pathlib, time\nfrom matexapps import Cluster\ncluster = Cluster()\n"
            "print('pids', *cluster.run('os:getpid'), flush=True)\n"
            "cluster.run(time.sleep, 120)",
        )
    )
    line = process.stdout.readline()
    assert line.startswith("pids")
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 128 + number
    psutil.wait_procs(below, timeout=30)
    assert not any(runs(int(pid)) for pid in line.split()[1:])
    assert not any(runs(child.pid) for child in below)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_amid_what_a_cell_prints_says_nothing_of_its_own(write_notebook, start, number):
    process = start(
        write_notebook(
            "n = 0",
            "for line in range(1_000_000):\n    print(line, flush=True)",
        )
    )
    for line in range(100):
        assert process.stdout.readline() == f"{line}\n"
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == 128 + number
    psutil.wait_procs(below, timeout=30)
    assert not any(runs(child.pid) for child in below)


def test_a_missing_notebook_is_an_error_with_a_guess(write_notebook, tmp_path):
    write_notebook("n = 0", name="higgs.ipynb")
    with pytest.raises(BatchError, match=r"no notebook .*higs.ipynb; did you mean 'higgs.ipynb'"):
        run_notebook(tmp_path / "higs.ipynb", tmp_path)


def test_an_unknown_parameter_is_an_error_with_a_guess(write_notebook, tmp_path):
    path = write_notebook("epochs = 3\nbatch_size = 10")
    with pytest.raises(BatchError, match=r"no parameter 'epoch'; did you mean 'epochs'"):
        run_notebook(path, tmp_path, parameters={"epoch": 1})


def test_what_is_no_notebook_is_refused(tmp_path):
    path = tmp_path / "text.ipynb"
    path.write_text("not json")
    with pytest.raises(BatchError, match="cannot be read as a notebook"):
        run_notebook(path, tmp_path)


def test_the_index_links_every_page(tmp_path):
    runs_done = [
        NotebookRun(tmp_path / "a.ipynb", tmp_path / "a.html", 2, {}, 61.7),
        NotebookRun(tmp_path / "b.ipynb", tmp_path / "sub" / "b.html", 3, {"x": "<1>"}, 5.0),
    ]
    text = write_index(runs_done, tmp_path / "index.html").read_text()
    assert '<a href="a.html">a</a>' in text
    assert '<a href="sub/b.html">b</a>' in text
    assert "62 s" in text
    assert "x = &#x27;&lt;1&gt;&#x27;" in text
