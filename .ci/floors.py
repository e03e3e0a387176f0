"""Print the lower bounds of all dependencies as constraints for pip: `floors.py PYPROJECT`.

Those of the package itself, of the extra `test`, and of the extras that it includes.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

_BOUND = re.compile(r"(?P<name>[\w-]+)(\[[^]]*\])?>=(?P<floor>[\w.]+)(?P<marker>;.*)?")
_EXTRAS = re.compile(r"restream-async\[(?P<names>[^]]*)\]")

project = tomllib.loads(Path(sys.argv[1]).read_text("utf-8"))["project"]
extras = project["optional-dependencies"]


def included(requirements: list[str]) -> Iterator[str]:
    """Give the requirements, with those of an extra of this project in place of its name."""
    for requirement in requirements:
        if own := _EXTRAS.fullmatch(requirement):
            for name in own["names"].split(","):
                yield from included(extras[name])
        else:
            yield requirement


for requirement in included([*project["dependencies"], *extras["test"]]):
    if bound := _BOUND.fullmatch(requirement.replace(" ", "")):
        # Without the spaces a marker would not be one.
        marker = requirement.partition(";")[2]
        print(f"{bound['name']}=={bound['floor']}{' ;' if marker else ''}{marker}")
