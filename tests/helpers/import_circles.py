"""``python import_circles.py PACKAGE``: modules that import each other in a circle; none is good.

Imports for types alone count, and so do those inside functions. import-linter's contracts say who
may import whom; a circle within a layer is what they do not see.
"""

from __future__ import annotations

import sys

import grimp
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


def circles(package: str) -> list[list[str]]:
    """Return the circles as lists of modules, each module in one at most."""
    graph = grimp.build_graph(package, cache_dir=None)
    names = sorted(graph.modules)
    number = {name: index for index, name in enumerate(names)}
    pairs = [
        (number[name], number[imported])
        for name in names
        for imported in graph.find_modules_directly_imported_by(name)
    ]
    rows, columns = zip(*pairs, strict=True)
    matrix = coo_matrix(([True] * len(pairs), (rows, columns)), shape=(len(names), len(names)))
    _, component = connected_components(matrix, connection="strong")
    members: dict[int, list[str]] = {}
    for name, label in zip(names, component, strict=True):
        members.setdefault(label, []).append(name)
    return [each for each in members.values() if len(each) > 1]


if __name__ == "__main__":
    all_circles = circles(sys.argv[1])
    for circle in all_circles:
        print("import circle:", ", ".join(circle))
    sys.exit(bool(all_circles))
