"""Print derivations: ``python -m implicitpad.spec [NAME ...] [--latex | --certificates]``."""

from __future__ import annotations

import argparse
from pathlib import Path

from .document import document
from .report import certificates, derivation, latex_of
from .theorem import REGISTER, theorems

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "derivations.md"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m implicitpad.spec", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="theorems; all if none is named")
    parser.add_argument("--latex", action="store_true", help="as align* environments")
    parser.add_argument("--certificates", action="store_true", help="down to the evidence")
    parser.add_argument("--document", action="store_true", help="write docs/derivations.md")
    options = parser.parse_args(arguments)
    if options.document:
        DOCUMENT.write_text(document(), encoding="utf-8")
        return
    known = [one.name for one in theorems()]
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"no theorem is called {unknown[0]}; there are {', '.join(known)}")
    for name in options.names or known:
        proof = REGISTER[name].proof
        print("\n".join(latex_of(proof) if options.latex else derivation(proof)))
        for step in proof.steps if options.certificates else ():
            if step.certificates:
                print(f"\n{step.because or step.kind}")
                print("\n".join(certificates(step)))
        print()


if __name__ == "__main__":
    main()
