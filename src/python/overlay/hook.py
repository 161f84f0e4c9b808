# Written by scalene-mcp beside its private copy of Scalene; `PROJECT` is set above.
# Puts the packages of the profiled project in front of the ones that Scalene brought
# along, so that the program imports exactly what it imports without Scalene.
import os
import site
import sys
from importlib.machinery import PathFinder

OWN = os.path.dirname(os.path.abspath(__file__))


class OwnScalene:
    """Scalene itself always comes from here, even if the project has another one."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "scalene":
            return PathFinder.find_spec(name, [OWN])
        return None


for folder in PROJECT:
    # Runs the project's .pth files too: editable installs consist of them.
    site.addsitedir(folder)
sys.path[:] = [path for path in sys.path if path != OWN] + [OWN]
sys.meta_path.insert(0, OwnScalene)
