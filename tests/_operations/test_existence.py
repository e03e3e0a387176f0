"""What a list says about a wanted restream where it does not show all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from restream_async._operations.existence import CheckContext, Existence, Inconclusive
from restream_async._operations.matching import Match
from tests.helpers.examples import STREAM_KEY, new, stored

if TYPE_CHECKING:
    from restream_async import Restream

HIDDEN = "***"


def find(existence: Existence, *shown: Restream, **known: object) -> Restream | Inconclusive | None:
    return existence.find(new(), shown, CheckContext(**known))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - the fields of CheckContext


def test_a_restream_that_is_shown_as_it_was_sent_is_found() -> None:
    other = stored(id=6, stream_key="another")
    existence = Existence()
    assert find(existence, other, stored()) == stored()
    assert existence.forms == ()


def test_one_that_is_shown_in_full_and_is_another_is_not_it() -> None:
    assert find(Existence(), stored(stream_key="another")) is None


def test_a_restream_of_another_item_is_not_it() -> None:
    assert find(Existence(), stored(), others={7}) is None


@pytest.mark.parametrize("key", [HIDDEN, "", f"***{STREAM_KEY[-4:]}"])
def test_a_hidden_key_is_inconclusive_where_nothing_is_known_of_the_time_before(key: str) -> None:
    found = find(Existence(), stored(stream_key=key))
    assert found == Inconclusive((7,))
    assert str(found) == "restream 7 may be the wanted one, and is not shown in full"


def test_many_hidden_keys_are_named_in_short() -> None:
    assert str(Inconclusive(tuple(range(9)))).startswith(
        "restream 0, 1, 2, 3, 4, … may be the wanted one"
    )


def test_one_that_was_there_before_is_not_it() -> None:
    assert find(Existence(), stored(stream_key=HIDDEN), listed_before={7}) is None


def test_the_only_one_that_was_not_there_before_is_it() -> None:
    old, late = stored(id=6, stream_key=HIDDEN), stored(stream_key=HIDDEN)
    assert find(Existence(), old, late, listed_before={6}) == late


def test_two_that_were_not_there_before_are_inconclusive() -> None:
    late = [stored(id=number, stream_key=HIDDEN) for number in (7, 8)]
    assert find(Existence(), *late, listed_before=set[int]()) == Inconclusive((7, 8))


def test_one_that_was_not_there_before_may_be_a_rivals() -> None:
    late = stored(stream_key=HIDDEN)
    assert find(Existence(), late, listed_before=set[int](), has_rivals=True) == Inconclusive((7,))


def test_one_that_was_given_to_another_restream_is_not_it() -> None:
    existence = Existence()
    existence.remember_id(new(stream_key="another"), 7)
    assert find(existence, stored(stream_key=HIDDEN)) is None


def test_one_that_was_given_to_this_restream_is_it() -> None:
    existence = Existence()
    existence.remember_id(new(), 7)
    shown = stored(stream_key=HIDDEN)
    assert find(existence, shown) == shown


def test_ids_are_remembered_in_bounded_memory() -> None:
    existence = Existence()
    existence.remember_id(new(), 7)
    for number in range(100, 5_200):
        existence.remember_id(new(stream_key=f"key-{number}"), number)
    shown = stored(stream_key=HIDDEN)
    assert find(existence, shown) == shown
    for number in range(100, 11_000):
        existence.remember_id(new(stream_key=f"key-{number}"), number)
    assert find(existence, shown) == Inconclusive((7,))


class TestAKeyThatIsReplaced:
    """By a hash, say: no text tells that anything is hidden."""

    def test_is_inconclusive_once_two_known_ids_have_shown_it(self) -> None:
        existence = Existence()
        for number in (5, 6):
            existence.remember_id(new(stream_key=f"another-{number}"), number)
        known = [stored(id=number, stream_key=f"5e8f{number}") for number in (5, 6)]
        assert find(existence, *known, stored(stream_key="77a0")) == Inconclusive((7,))
        assert existence.hides_keys
        assert existence.forms == ("streamKey",)

    @pytest.mark.parametrize(
        "changes",
        [{"video_id": "another"}, {"stream_url": "rtmps://another.example.com/app"}],
        ids=lambda changes: next(iter(changes)),
    )
    def test_of_another_video_or_url_is_another(self, changes: dict[str, object]) -> None:
        existence = Existence()
        for number in (5, 6):
            existence.remember_id(new(stream_key=f"another-{number}"), number)
        known = [stored(id=number, stream_key=f"5e8f{number}") for number in (5, 6)]
        assert find(existence, *known, stored(stream_key="77a0", **changes)) is None
        assert existence.hides_keys

    def test_of_a_single_id_may_have_been_changed_at_the_service(self) -> None:
        existence = Existence()
        existence.remember_id(new(stream_key="another"), 6)
        assert find(existence, stored(id=6, stream_key="edited"), stored(stream_key="77a0")) is None
        assert not existence.hides_keys

    def test_is_forgotten_when_a_list_shows_a_key(self) -> None:
        existence = Existence()
        assert isinstance(find(existence, stored(stream_key="strm")), Inconclusive)
        assert existence.hides_keys
        existence.remember_id(new(stream_key="another"), 6)
        shown = [stored(id=6, stream_key="another"), stored(stream_key="strm")]
        assert find(existence, *shown) is None
        assert not existence.hides_keys
        assert existence.forms == ()

    def test_is_another_key_where_lists_show_keys(self) -> None:
        existence = Existence()
        for number in (5, 6, 8):
            existence.remember_id(new(stream_key=f"another-{number}"), number)
        find(existence, stored(id=8, stream_key="another-8"))
        edited = [stored(id=number, stream_key=f"edited-{number}") for number in (5, 6)]
        assert find(existence, *edited, stored(stream_key="77a0")) is None
        assert not existence.hides_keys

    def test_of_an_answer_that_the_list_lacks_is_inconclusive(self) -> None:
        answer = stored(stream_key=HIDDEN)
        assert find(Existence(), unaccepted={7: answer}) == Inconclusive((7,))
        other = stored(id=8, stream_key="another-key-altogether")
        assert find(Existence(), unaccepted={8: other}) is None

    def test_of_an_answer_is_inconclusive_and_not_absent(self) -> None:
        answer = stored(stream_key="5e8f")
        assert find(Existence(), answer, unaccepted={7: answer}) == Inconclusive((7,))


class TestAnAnswer:
    def test_that_repeats_what_was_sent_is_accepted(self) -> None:
        assert Existence().accepts(new(), stored(title="Renamed"))

    @pytest.mark.parametrize(
        "changes",
        [{"stream_key": HIDDEN}, {"stream_url": "rtmps://live.example.com:443/app"}],
        ids=lambda changes: next(iter(changes)),
    )
    def test_of_another_form_is_accepted_once_a_list_has_confirmed_it(
        self, changes: dict[str, object]
    ) -> None:
        existence = Existence()
        answer = stored(**changes)
        assert not existence.accepts(new(), answer)
        assert find(existence, stored(), unaccepted={7: answer}) == stored()
        assert existence.accepts(new(), answer)
        assert not existence.accepts(new(), stored(stream_key="another"))
        assert not existence.hides_keys


def test_a_list_leaves_open_only_what_is_not_shown_in_full_and_not_known() -> None:
    existence = Existence()
    hidden = stored(stream_key=HIDDEN)
    assert not existence.may_hide_copies(new(), [stored(), stored(id=8, stream_key="x")], set())
    assert existence.may_hide_copies(new(), [hidden], set())
    assert not existence.may_hide_copies(new(), [hidden], {7})


class TestComparing:
    """One listed restream with a wanted one, for lists that are compared as a whole."""

    def test_what_is_shown_in_full_is_the_same_or_another(self) -> None:
        assert Existence().compare(new(), stored()) is Match.SAME
        assert Existence().compare(new(), stored(stream_key="another")) is Match.DIFFERENT

    def test_what_is_hidden_is_unclear_unless_its_id_is_known(self) -> None:
        existence = Existence()
        hidden = stored(stream_key=HIDDEN)
        assert existence.compare(new(), hidden) is Match.UNCLEAR
        existence.remember_id(new(), 7)
        assert existence.compare(new(), hidden) is Match.SAME
        assert existence.compare(new(stream_key="another"), hidden) is Match.DIFFERENT

    def test_a_known_id_does_not_hide_that_the_key_was_changed(self) -> None:
        existence = Existence()
        existence.remember_id(new(), 7)
        assert existence.compare(new(), stored(stream_key="another")) is Match.DIFFERENT

    def test_where_lists_replace_keys_any_other_key_is_unclear(self) -> None:
        existence = Existence()
        for number in (1, 2):
            existence.remember_id(new(stream_key=f"key {number}"), number)
        shown = [stored(id=number, stream_key=f"hash {number}") for number in (1, 2, 3)]
        existence.learn([new()], shown)
        assert existence.hides_keys
        assert existence.compare(new(), shown[2]) is Match.UNCLEAR
        assert existence.compare(new(stream_key="key 1"), shown[0]) is Match.SAME

    def test_where_lists_show_keys_one_that_looks_masked_is_another(self) -> None:
        existence = Existence()
        existence.learn([new(), new(stream_key="second")], [stored(id=6, stream_key="second")])
        assert existence.compare(new(), stored(stream_key=HIDDEN)) is Match.DIFFERENT
