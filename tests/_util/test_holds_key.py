import copy
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from restream_async import RestreamClient
from tests.helpers.samples import API_KEY


@pytest.mark.parametrize("take", [pickle.dumps, copy.deepcopy])
def test_what_holds_the_key_is_neither_pickled_nor_copied(
    take: Callable[[object], object], tmp_path: Path
) -> None:
    client = RestreamClient(base_url="https://api.example.com", project_id="p1", api_key=API_KEY)
    for holder in (client, client.create_many([]), client.undo(tmp_path / "run.db")):
        with pytest.raises(TypeError, match="holds the API key") as caught:
            take(holder)
        assert API_KEY not in str(caught.value)
