"""The line of a call: the user's line, and the line of a library in between."""

import contextlib
from pathlib import Path

import matexapps
from matexapps.comm.checks.call_site import call_site

PACKAGE = Path(matexapps.__file__).parent


def test_a_call_by_the_user_is_described_by_its_line():
    position, line = call_site().split(": ", 1)
    assert line == 'position, line = call_site().split(": ", 1)'
    source = Path(__file__).read_text().splitlines()
    assert position.startswith("test_call_site.py:")
    assert source[int(position.partition(":")[2]) - 1].strip() == line


def test_a_call_from_within_the_package_has_the_users_line_too():
    space = {"call_site": call_site}
    code = "def inner():\n    return call_site()\n"
    exec(compile(code, str(PACKAGE / "train" / "made_up.py"), "exec"), space)
    inside, own = space["inner"]().split("\n")
    assert inside == "matexapps/train/made_up.py:2 in inner"
    assert own.strip().startswith("called from test_call_site.py:")
    assert own.endswith('inside, own = space["inner"]().split("\\n")')


def test_a_call_from_a_library_has_the_users_line_too():
    seen = []
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: seen.append(call_site()))
        stack.callback(PACKAGE.exists)
    assert seen[0].startswith("test_call_site.py:")
    with contextlib.ExitStack() as stack:
        space = {"call_site": call_site, "seen": seen}
        exec(compile("seen.append(call_site())", contextlib.__file__, "exec"), space)
    assert seen[1].startswith("contextlib.py:1")
    assert "called from test_call_site.py" in seen[1]


def test_a_long_line_is_cut(tmp_path):
    file = tmp_path / "long.py"
    file.write_text(f"site = call_site()  # {'x' * 200}")
    space = {"call_site": call_site}
    exec(compile(file.read_text(), str(file), "exec"), space)
    position, line = space["site"].split(": ")
    assert position == "long.py:1"
    assert line == f"site = call_site()  # {'x' * 200}"[:97] + "..."
