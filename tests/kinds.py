"""Kinds of what authenticators, password managers and clients send, each with many cases: before and after.

``python tests/kinds.py [<tree>]`` runs the cases of ``kind_attestation.py`` and ``kind_cases.py`` against this package,
or that of another tree, and prints how many of each kind come out right. The other tree brings the server's side and
``passkey.js``; what authenticators and browsers send is always made here.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from kind_attestation import ATTESTATION
from kind_cases import CASES
from kind_trees import Case, Tree

KINDS = {
    1: "a statement decides only where it was asked for",
    2: "a trust anchor need not be a root",
    3: "android-key, with its root and without",
    4: "what the procedure accepts is accepted",
    5: "`tokenBinding` is ignored",
    6: "`displayName` is never empty",
    7: "origins of any scheme",
    8: "the path of the metadata's signer",
    9: "`passkey.js` reads the bytes",
    10: "ES256 comes first",
    11: "ML-DSA",
}


def wrong(cases: Iterable[Case], tree: Tree) -> list[tuple[Case, str]]:
    """Return the cases that do not come out right, with what comes of them."""
    outcomes = ((case, case.outcome(tree)) for case in cases)
    return [(case, outcome) for case, outcome in outcomes if outcome != case.right]


def main(path: Path) -> None:
    """Print the table for a tree, and what is wrong."""
    cases = [*ATTESTATION, *CASES]
    total = Counter(case.kind for case in cases)
    with Tree(path) as tree:
        found = wrong(cases, tree)
    bad = Counter(case.kind for case, _ in found)
    for kind, title in KINDS.items():
        print(f"| {kind} | {title} | {total[kind]} | {total[kind] - bad[kind]} |")
    for case, outcome in found:
        print(f"{case.kind}: {case.name}: {outcome}, not {case.right}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve())
