"""Reading the stacks that ranks write, and explaining why ranks ended."""

import threading
import time

from matexapps.cluster.ranks.deaths import Circumstances, explain
from matexapps.cluster.ranks.stacks import parse, request_stacks

STACK = """Stack (most recent call first):
  File "/site/matexapps/comm/waiting.py", line 95 in _loop
  File "/home/ann/model.py", line 12 in train
  File "Cell In[4]", line 3 in <module>
  File "/site/matexapps/engine/cells.py", line 40 in run_cell
  File "/site/matexapps/engine/calls.py", line 110 in _run
  File "/site/ipyparallel/engine/kernel.py", line 157 in do_apply
"""


def test_a_stack_begins_where_the_users_work_does():
    stack = parse(STACK)
    assert [frame.file for frame in stack.frames] == [
        "Cell In[4]", "/home/ann/model.py", "/site/matexapps/comm/waiting.py",
    ]  # fmt: skip
    assert stack.waits


def test_a_rank_that_runs_nothing_has_no_stack():
    idle = STACK.replace("matexapps/engine/calls.py", "asyncio/events.py")
    assert parse(idle).frames == ()
    assert not parse(idle).waits
    assert "no Python code" in str(parse(""))


def test_only_new_stacks_count_and_a_silent_rank_is_left_out(tmp_path):
    files = [tmp_path / "0", tmp_path / "1"]
    files[0].write_text(STACK)
    files[1].write_text(STACK)
    newer = STACK.replace("line 12 in train", "line 13 in train")

    def answer():
        time.sleep(0.1)
        with open(files[0], "a") as file:
            file.write(newer)

    asked = []

    def send(ranks):
        asked.append(ranks)
        threading.Thread(target=answer).start()

    stacks = request_stacks(files, send, [0, 1], 1.0)
    assert asked == [[0, 1]]
    assert list(stacks) == [0]
    assert stacks[0].frames[1].line == 13


def test_a_death_is_explained_with_rank_signal_memory_and_last_log_lines(tmp_path):
    (tmp_path / "engines.log").write_text(
        "prterun noticed that process rank 1 with PID 77 on node lab7 exited on\nsignal 9 (Killed)."
    )
    (tmp_path / "rank-1.log").write_text("epoch 3\nreading the next file\n")
    text = explain("engines", 137, tmp_path, Circumstances({1: 3 * 2**30}, 10**9))
    assert text.startswith("rank 1 on lab7 was ended by signal 9 (SIGKILL: most often memory")
    assert "last seen using 3.0 GiB" in text
    assert text.endswith("  epoch 3\n  reading the next file")


def test_a_crash_is_shown_from_its_innermost_line_to_the_users_work(tmp_path):
    (tmp_path / "engines.log").write_text(
        "process rank 0 with PID 5 on node lab7 exited on signal 11 (Segmentation fault)."
    )
    (tmp_path / "rank-0.log").write_text(
        "before\nFatal Python error: Segmentation fault\n\n" + STACK + "Extension modules: many\n"
    )
    text = explain("engines", 139, tmp_path, Circumstances({}, 0))
    assert "SIGSEGV: a crash in compiled code" in text
    assert "line 12 in train" in text
    assert "calls.py" not in text
    assert "before" not in text
