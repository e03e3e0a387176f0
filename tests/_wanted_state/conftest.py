"""The fixtures of bulk runs."""

from tests._bulk.conftest import *  # noqa: F403 - its `__all__` names them
