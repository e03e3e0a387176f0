"""What is made quickly is the same as what is made otherwise."""

import copy
import pickle
import weakref

import attrs
import pytest

from restream_async import Created, Origin, Restream
from restream_async.models import make_created, make_restream
from tests.helpers.examples import new, stored

RESTREAM = stored()
CREATED = Created(index=3, request=new(), restream=RESTREAM, attempts=2, origin=Origin.CONFIRMED)
MADE = [
    (RESTREAM, make_restream(*attrs.astuple(RESTREAM))),
    (CREATED, make_created(*attrs.astuple(CREATED, recurse=False))),
]


@pytest.mark.parametrize(("usual", "quick"), MADE)
class TestMadeQuickly:
    def test_it_is_the_same(self, usual: Restream | Created, quick: Restream | Created) -> None:
        assert type(quick) is type(usual)
        assert quick == usual
        assert hash(quick) == hash(usual)
        assert repr(quick) == repr(usual)

    def test_it_is_frozen(self, usual: Restream | Created, quick: Restream | Created) -> None:
        for name in attrs.asdict(usual):
            with pytest.raises(attrs.exceptions.FrozenInstanceError):
                setattr(quick, name, None)
            with pytest.raises(attrs.exceptions.FrozenInstanceError):
                delattr(quick, name)

    def test_it_can_be_copied_stored_and_changed(
        self, usual: Restream | Created, quick: Restream | Created
    ) -> None:
        assert copy.deepcopy(quick) == usual
        assert pickle.loads(pickle.dumps(quick)) == usual  # noqa: S301 - its own
        assert attrs.evolve(quick) == usual
        assert weakref.ref(quick)() is quick

    def test_it_has_no_room_for_more(
        self, usual: Restream | Created, quick: Restream | Created
    ) -> None:
        for each in (usual, quick):
            assert not hasattr(each, "__dict__")


@pytest.mark.parametrize("make", [make_restream, make_created])
def test_each_field_is_needed(make: object) -> None:
    assert callable(make)
    with pytest.raises(TypeError):
        make(1)
