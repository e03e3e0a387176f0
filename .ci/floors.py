"""Print the lower bounds of all dependencies as constraints for pip: `floors.py PYPROJECT`."""

import re
import sys
import tomllib
from pathlib import Path

_BOUND = re.compile(r"(?P<name>[\w-]+)(\[[^]]*\])?>=(?P<floor>[\w.]+)(?P<marker>;.*)?")

project = tomllib.loads(Path(sys.argv[1]).read_text("utf-8"))["project"]
extras = project["optional-dependencies"]
for requirement in [*project["dependencies"], *extras["cli"], *extras["test"]]:
    if bound := _BOUND.fullmatch(requirement.replace(" ", "")):
        # Without the spaces a marker would not be one.
        marker = requirement.partition(";")[2]
        print(f"{bound['name']}=={bound['floor']}{' ;' if marker else ''}{marker}")
