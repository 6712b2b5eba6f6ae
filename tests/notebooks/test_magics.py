"""``%mpi`` and ``%%mpi`` in a real kernel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kernel import Notebook, open_notebook
from processes import descendants

WORLD = "%%mpi\nfrom matexapps import open_world\ncomm = open_world()\nrank = comm.rank\n"


@pytest.fixture(scope="module")
def notebook() -> Iterator[Notebook]:
    """A kernel with three ranks, each with a communicator and its rank as names."""
    before = descendants()
    with open_notebook("%load_ext matexapps") as notebook:
        started = notebook.good("%mpi start -n 3")
        assert "3 ranks started, in the variable cluster" in started
        notebook.good(WORLD)
        yield notebook
    assert descendants() <= before


def lines(text: str) -> list[str]:
    """The lines that say something."""
    return [line for line in text.splitlines() if line.strip()]


def test_names_are_kept_between_cells_and_equal_output_is_shown_once(notebook):
    notebook.good("%%mpi\nx = 20 + rank")
    assert lines(notebook.good("%%mpi\nprint('ready')\nx")) == [
        "[ranks 0-2] ready",
        "[rank 0] 20",
        "[rank 1] 21",
        "[rank 2] 22",
    ]


def test_what_ranks_print_is_grouped_with_common_lines_first(notebook):
    text = notebook.good(
        "%%mpi\nprint('reading')\nprint('odd' if rank % 2 else 'even')\nprint('rank', rank % 2)"
    )
    assert lines(text) == ["[ranks 0-2]", "reading", "[ranks 0, 2]", "even", "rank 0",
                           "[rank 1]", "odd", "rank 1"]  # fmt: skip


def test_a_semicolon_hides_the_last_expression(notebook):
    assert lines(notebook.good("%%mpi\nrank;")) == []


def test_tables_and_figures_of_ranks_are_shown_as_such(notebook):
    shown = notebook.cell(
        "%%mpi\nimport matplotlib.pyplot as plt\nimport pandas as pd\n"
        "plt.plot([0, 1]);\npd.DataFrame({'energy / GeV': [1.5]})"
    )
    assert shown.error == "", shown.text
    kinds = [set(output["data"]) for output in shown.outputs if "data" in output]
    assert sum("image/png" in kind for kind in kinds) == 1  # all three drew the same
    tables = [o["data"]["text/html"] for o in shown.outputs if "text/html" in o.get("data", {})]
    assert len(tables) == 1
    assert "energy / GeV" in tables[0]


@pytest.mark.parametrize(
    ("option", "ranks"), [("--rank 2", [2]), ("--ranks 0,2", [0, 2]), ("--ranks 1-2", [1, 2])]
)
def test_some_ranks_alone(notebook, option, ranks):
    text = lines(notebook.good(f"%%mpi {option}\nrank"))
    assert text == [f"[rank {rank}] {rank}" for rank in ranks]


def test_results_come_back_in_the_order_of_ranks(notebook):
    notebook.good("%%mpi -o squares\nrank**2")
    assert notebook.good("squares").strip() == "[0, 1, 4]"


def test_push_and_pull(notebook):
    notebook.good("settings = {'rate': 0.1}\n%mpi push settings")
    notebook.good("%%mpi\nsettings['rate'] *= rank")
    assert "[0.0, 0.1, 0.2]" in notebook.good("[s['rate'] for s in cluster.pull('settings')]")
    pulled = notebook.good("%mpi pull rank")
    assert pulled.strip() == "[0, 1, 2]"


def test_who_lists_names_types_and_ranks(notebook):
    notebook.good("%%mpi --rank 1\nonly_here = 'a text'")
    text = notebook.good("print(cluster.who().loc['only_here'].tolist())")
    assert "['rank 1', 'str', \"'a text'\"]" in text
    assert "MpiCommunicator" in notebook.good("%mpi who")


def test_status_shows_where_ranks_are(notebook):
    text = notebook.good("%mpi status")
    for column in ("host", "pid", "device", "threads", "memory_gb", "runs"):
        assert column in text
    pids = notebook.good("%%mpi\nimport os\nos.getpid()")
    table = notebook.good("print(*cluster.status()['pid'])").split()
    assert [line.split("] ")[1] for line in lines(pids)] == table


def test_logs_have_what_a_rank_printed(notebook):
    notebook.good("%%mpi\nprint('a line of rank', rank)")
    text = notebook.good("%mpi logs --rank 1 -n 2")
    assert "rank-1.log" in text
    assert "a line of rank 1" in text
    assert "a line of rank 0" not in text


def test_a_time_limit_ends_the_cell_and_says_where_it_was(notebook):
    shown = notebook.cell(
        "%%mpi --timeout 1\nimport time\nif rank == 1:\n    time.sleep(600)  # too long\n"
    )
    assert shown.error == "ClusterError"
    assert "took longer than 1 s on rank 1 and was stopped" in shown.text
    assert "line 4, in <module>: time.sleep(600)  # too long" in shown.text
    assert lines(notebook.good("%%mpi\nrank")) == [f"[rank {r}] {r}" for r in range(3)]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("%mpi stat", "no command 'stat'; did you mean 'start'?"),
        ("%mpi push setings", "there is no name 'setings' in this notebook"),
        ("%mpi pull nowhere", "name 'nowhere' is not defined on this rank"),
        ("%%mpi --rank 7\n1", "there is no rank 7; there are ranks 0 to 2"),
        ("%%mpi --rank one\n1", "'one' is no list of ranks such as 1,3 or 0-2"),
        ("%%mpi --fast\n1", "unrecognized arguments: --fast; see %%mpi?"),
        ("%%mpi\n1 +", "SyntaxError: invalid syntax"),
        ("%mpi start -n 0", "needs 1 or more ranks, but n is 0"),
    ],
)
def test_errors_name_the_mistake_and_the_cure(notebook, code, words):
    shown = notebook.cell(code)
    assert shown.error != ""
    assert words in shown.text
    assert "run_cell_magic" not in shown.text


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("%mpi st", ["start", "status", "stop"]),
        ("%mpi start --", ["--hang-after"]),
        ("%%mpi --t", ["--timeout"]),
        ("%mpi pull ran", ["rank"]),
    ],
)
def test_options_are_completed(notebook, typed, offered):
    reply = notebook.client.complete(typed, len(typed), reply=True, timeout=60)
    assert reply["content"]["matches"] == offered


def test_help_has_examples(notebook):
    reply = notebook.client.execute_interactive("%%mpi?", timeout=60)
    (page,) = reply["content"]["payload"]
    assert "%%mpi --rank 0" in page["data"]["text/plain"]
    assert "%mpi start -n 4" in page["data"]["text/plain"]


def test_starting_again_keeps_the_ranks_that_run(notebook):
    before = notebook.good("%%mpi\nimport os\nos.getpid()")
    assert "3 ranks are running already" in notebook.good("%mpi start -n 3")
    assert lines(notebook.good("%%mpi\nos.getpid()")) == lines(before)


def test_an_edited_module_is_loaded_again_on_the_ranks(notebook, tmp_path):
    module = tmp_path / "detector.py"
    module.write_text("GAIN = 1\n\ndef gain():\n    return GAIN\n")
    notebook.good(f"import sys\nsys.path.insert(0, {str(tmp_path)!r})")
    assert lines(notebook.good("%%mpi\nimport detector\ndetector.gain()")) == ["[ranks 0-2] 1"]
    module.write_text("GAIN = 250\n\ndef gain():\n    return GAIN\n")
    text = notebook.good("%%mpi\ndetector.gain()")
    assert "[ranks 0-2] 250" in text
    assert "Reloaded on the ranks, because the files have changed: detector" in text


def test_a_restart_gives_new_ranks_without_names(notebook):
    before = notebook.good("%%mpi\nimport os\nos.getpid()")
    notebook.good("%mpi restart")
    shown = notebook.cell("%%mpi\nrank")
    assert "NameError on all 3 ranks" in shown.text
    after = notebook.good("%%mpi\nimport os\nos.getpid()")
    assert set(lines(before)).isdisjoint(lines(after))
    notebook.good("%mpi stop")
    assert "the ranks have ended" in notebook.cell("%mpi status").text
