"""The difference between the wanted restreams of one video and those that exist."""

from collections.abc import Collection, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restream_async import Action, Change, NewRestream, Restream
from restream_async._operations.existence import Existence, key_of
from restream_async._operations.matching import Match
from restream_async._wanted_state.difference import DELETING, difference, present_in
from tests.helpers.strategies import quick
from tests.helpers.wanted_states import OTHER_URL, URL, have, short, state_of, want, wanted_state

MASKED = "****"


def changes_between(
    wanted: Sequence[NewRestream],
    existing: Sequence[Restream],
    *,
    rotate: bool = True,
    prune: bool = True,
    known: Collection[int | str] = (),
) -> list[Change]:
    return difference(
        wanted, existing, rotate=rotate, prune=prune, existence=Existence(), known=known
    )


def diff(
    wanted: Sequence[NewRestream],
    existing: Sequence[Restream],
    *,
    rotate: bool = True,
    prune: bool = True,
) -> list[str]:
    return short(changes_between(wanted, existing, rotate=rotate, prune=prune))


class TestTheSame:
    def test_what_does_not_exist_is_created_and_what_exists_is_kept(self) -> None:
        assert diff([want("a"), want("b")], [have(1, "b")]) == ["create a", "keep b #1"]

    def test_a_url_is_the_same_in_another_spelling(self) -> None:
        shown = have(1, stream_url="RTMPS://LIVE.example:443/app/")
        assert diff([want()], [shown]) == ["keep a #1"]

    def test_a_status_that_differs_is_set(self) -> None:
        wanted = [want("a"), want("b", status=False)]
        existing = [have(1, "a", status=False), have(2, "b")]
        assert diff(wanted, existing) == ["enable a #1", "disable b #2"]

    def test_a_title_that_differs_is_said_and_kept(self) -> None:
        [change] = changes_between([want()], [have(1, title="Twitch")])
        assert change.action is Action.KEEP
        assert change.differences == ("title",)

    def test_a_second_copy_is_deleted_only_with_prune(self) -> None:
        existing = [have(1), have(2)]
        assert diff([want()], existing) == ["keep a #1", "delete a #2 duplicate"]
        assert diff([want()], existing, prune=False)[1] == "delete a #2 duplicate needs prune"

    def test_of_several_the_one_with_the_wanted_title_and_then_status_is_kept(self) -> None:
        existing = [
            have(1, title="Old"),
            have(2, status=False),
            have(3),
            have(4),
        ]
        assert diff([want()], existing)[0] == "keep a #3"
        assert diff([want()], existing[:2])[0] == "enable a #2"

    def test_the_one_that_is_known_is_kept_rather_than_a_better_one(self) -> None:
        existing = [have(1), have(2, status=False)]
        changes = changes_between([want()], existing, known={2})
        assert short(changes) == ["enable a #2", "delete a #1 duplicate"]


class TestExtras:
    def test_what_is_not_wanted_is_deleted_only_with_prune(self) -> None:
        existing = [have(7, "x", stream_url=OTHER_URL), have(1)]
        assert diff([want()], existing) == ["keep a #1", "delete #7"]
        assert diff([want()], existing, prune=False) == ["keep a #1", "delete #7 needs prune"]

    def test_another_key_with_another_title_is_created_beside_the_extra_one(self) -> None:
        existing = [have(1, "old", title="Twitch")]
        assert diff([want("new")], existing) == ["create new", "delete #1"]

    def test_an_extra_restream_keeps_its_title(self) -> None:
        [_, extra] = changes_between([want()], [have(7, "x", title="Old")])
        assert (extra.title, extra.video_id, extra.is_extra) == ("Old", "v1", True)

    def test_what_the_service_shows_of_another_video_is_left_alone(self) -> None:
        assert diff([want()], [have(1, video_id="v2"), have(2, "x", video_id="v2")]) == ["create a"]

    def test_a_video_id_may_be_missing_or_spelled_otherwise(self) -> None:
        assert diff([want()], [have(1, video_id=""), have(2, "x", video_id="V1")]) == [
            "keep a #1",
            "rotate a #2",
        ]

    def test_a_restream_that_is_shown_twice_is_one(self) -> None:
        assert diff([want()], [have(1), have(1)]) == ["keep a #1"]


class TestRotation:
    def test_the_same_place_and_title_with_another_key_is_rotated(self) -> None:
        assert diff([want("new")], [have(1, "old")]) == ["rotate new #1"]

    def test_a_rotation_needs_to_be_allowed(self) -> None:
        assert diff([want("new")], [have(1, "old")], rotate=False) == ["rotate new #1 needs rotate"]

    def test_prune_alone_does_not_allow_it(self) -> None:
        changes = changes_between([want("new")], [have(1, "old")], rotate=False, prune=True)
        assert [change.needs for change in changes] == ["rotate"]

    def test_a_rotation_that_was_interrupted_after_the_creation_is_finished(self) -> None:
        assert diff([want("new")], [have(1, "old"), have(2, "new")]) == [
            "keep new #2",
            "rotate new #1",
        ]

    def test_one_may_replace_several(self) -> None:
        existing = [have(1, "old"), have(2, "older")]
        assert diff([want("new")], existing) == ["rotate new #1", "rotate new #2"]

    def test_two_destinations_that_look_alike_each_replace_one(self) -> None:
        wanted = [want("a"), want("b"), want("c")]
        existing = [have(1, "x"), have(2, "b"), have(3, "y"), have(4, "z")]
        assert diff(wanted, existing) == [
            "rotate a #1",
            "rotate a #4",
            "keep b #2",
            "rotate c #3",
        ]


class TestUnclear:
    """The service shows less than was sent."""

    def test_a_masked_key_is_taken_for_the_wanted_one_and_never_touched(self) -> None:
        assert diff([want()], [have(1, stream_key=MASKED)]) == ["keep a #1 unclear"]

    def test_the_title_decides_which_of_several_it_is_and_then_the_order(self) -> None:
        wanted = [want("a", title="A"), want("b", title="B"), want("c", title="C")]
        existing = [
            have(1, stream_key=MASKED, title="C"),
            have(2, stream_key=MASKED, title="X"),
            have(3, stream_key=MASKED, title="A"),
        ]
        assert diff(wanted, existing) == [
            "keep a #3 unclear",
            "keep b #2 unclear",
            "keep c #1 unclear",
        ]

    def test_what_is_left_over_is_neither_rotated_nor_deleted(self) -> None:
        existing = [have(1), have(2, stream_key=MASKED), have(3, stream_key=MASKED)]
        assert diff([want()], existing) == ["keep a #1", "keep #2 unclear", "keep #3 unclear"]

    def test_its_status_is_set_if_the_title_agrees(self) -> None:
        masked = have(1, stream_key=MASKED, status=False)
        assert diff([want()], [masked]) == ["enable a #1 unclear"]
        assert diff([want(title="Twitch")], [masked]) == ["keep a #1 unclear"]

    def test_one_that_may_exist_replaces_no_other(self) -> None:
        existing = [have(1, stream_key=MASKED), have(2, "old")]
        assert diff([want()], existing) == ["keep a #1 unclear", "delete #2"]

    def test_a_masked_key_elsewhere_is_certainly_another_one(self) -> None:
        elsewhere = have(1, stream_key=MASKED, stream_url=OTHER_URL)
        assert diff([want()], [elsewhere]) == ["create a", "delete #1"]

    def test_it_is_not_present_for_certain(self) -> None:
        changes = changes_between([want()], [have(1, stream_key=MASKED)])
        assert not present_in(changes)

    def test_an_id_that_the_service_gave_decides(self) -> None:
        existence = Existence()
        existence.remember_id(want(), 1)
        changes = difference(
            [want(), want("b")],
            [have(1, stream_key=MASKED), have(2, stream_key=MASKED)],
            rotate=True,
            prune=True,
            existence=existence,
        )
        assert short(changes) == ["keep a #1", "keep b #2 unclear"]


wanted_lists = st.lists(
    st.builds(
        want,
        st.sampled_from("abcd"),
        title=st.sampled_from(["YouTube", "Twitch"]),
        url=st.sampled_from([URL, OTHER_URL]),
        status=st.booleans(),
    ),
    min_size=1,
    max_size=6,
    unique_by=key_of,
)
existing_lists = st.lists(
    st.builds(
        have,
        st.integers(1, 12),
        st.sampled_from("abcdef"),
        title=st.sampled_from(["YouTube", "Twitch", "Old"]),
        stream_url=st.sampled_from([URL, f"{URL}/", OTHER_URL]),
        status=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda restream: restream.id,
)
shown_lists = st.lists(
    st.builds(
        have,
        st.integers(1, 12),
        title=st.sampled_from(["YouTube", "Twitch", "Old"]),
        stream_key=st.sampled_from([MASKED, MASKED, "stream-key-a", "stream-key-x"]),
        stream_url=st.sampled_from([URL, OTHER_URL]),
    ),
    max_size=8,
    unique_by=lambda restream: restream.id,
)


def carried_out(changes: Sequence[Change], existing: Sequence[Restream]) -> list[Restream]:
    """Return what exists after the changes were made."""
    exists = {each.id: each for each in existing}
    wanted = [change.wanted for change in changes if change.wanted is not None]
    present = present_in(changes)
    for change in changes:
        new, old = change.wanted, change.existing
        if change.needs or new is None or key_of(new) in present or change.is_unclear:
            continue
        if change.action in {Action.CREATE, Action.ROTATE}:
            created = f"new {wanted.index(new)}"
            exists[created] = have(
                created,
                new.stream_key.removeprefix("stream-key-"),
                title=new.title,
                stream_url=new.stream_url,
                status=new.status,
            )
    for change in changes:
        old = change.existing
        if change.needs or old is None:
            continue
        if change.action in DELETING:
            del exists[old.id]
        elif change.action in {Action.ENABLE, Action.DISABLE}:
            exists[old.id] = have(
                old.id,
                title=old.title,
                stream_key=old.stream_key,
                stream_url=old.stream_url,
                status=change.action is Action.ENABLE,
            )
    return [*exists.values()]


class CountingExistence(Existence):
    """Counts comparisons."""

    comparisons = 0

    def compare(self, new: NewRestream, shown: Restream) -> Match:
        self.comparisons += 1
        return super().compare(new, shown)


class TestManyRestreamsOfOneVideo:
    """The difference of one video must not hold up the others, or a stop."""

    def test_keys_that_are_shown_in_full_are_not_compared_with_each_wanted_one(self) -> None:
        numbers = range(300)
        wanted = [want(f"{number}") for number in numbers]
        existing = [have(number, f"old-{number}") for number in numbers]
        existence = CountingExistence()
        changes = difference(wanted, existing, rotate=True, prune=True, existence=existence)
        assert [change.action for change in changes] == [Action.ROTATE] * len(numbers)
        assert existence.comparisons <= len(numbers)

    def test_a_url_that_is_not_shown_in_full_is_still_compared_if_the_key_is_the_same(self) -> None:
        shown = have(1, stream_url="rtmps://live.example")
        assert diff([want("b"), want("a")], [shown]) == ["create b", "keep a #1 unclear"]

    def test_keys_that_are_shown_in_another_form_are_compared_with_each(self) -> None:
        existence = Existence()
        shown = [have(number, stream_key=f"hash-of-the-key-{number}") for number in (1, 2, 3)]
        for number in (1, 2):
            existence.remember_id(want(f"{number}"), number)
        wanted = [want("2"), want("1"), want("3")]
        existence.learn(wanted, shown)
        changes = difference(wanted, shown, rotate=True, prune=True, existence=existence)
        assert short(changes) == ["keep 2 #2", "keep 1 #1", "keep 3 #3 unclear"]


class TestAnyWantedAndAnyExisting:
    @given(wanted=wanted_lists, existing=existing_lists)
    @settings(quick, max_examples=50)
    def test_the_changes_lead_to_exactly_the_wanted_state(
        self, wanted: list[NewRestream], existing: list[Restream]
    ) -> None:
        changes = changes_between(wanted, existing)
        after = carried_out(changes, existing)
        assert state_of(after) == wanted_state(wanted)
        again = changes_between(wanted, after)
        assert all(change.action is Action.KEEP for change in again)

    @given(wanted=wanted_lists, existing=existing_lists, rotate=st.booleans(), prune=st.booleans())
    @settings(quick, max_examples=50)
    def test_a_second_time_only_what_is_not_allowed_is_left(
        self, wanted: list[NewRestream], existing: list[Restream], *, rotate: bool, prune: bool
    ) -> None:
        changes = changes_between(wanted, existing, rotate=rotate, prune=prune)
        after = carried_out(changes, existing)
        again = changes_between(wanted, after, rotate=rotate, prune=prune)
        assert all(change.action is Action.KEEP or change.needs for change in again)

    @given(wanted=wanted_lists, existing=shown_lists)
    @settings(quick, max_examples=50)
    def test_each_restream_has_its_change_and_no_masked_one_is_deleted(
        self, wanted: list[NewRestream], existing: list[Restream]
    ) -> None:
        changes = changes_between(wanted, existing)
        named = [change.existing.id for change in changes if change.existing is not None]
        assert sorted(named, key=str) == sorted((each.id for each in existing), key=str)
        asked = [change.wanted for change in changes if change.wanted is not None]
        assert list(dict.fromkeys(map(key_of, asked))) == [key_of(new) for new in wanted]
        for change in changes:
            if change.action in DELETING:
                assert change.existing is not None
                assert change.existing.stream_key != MASKED or all(
                    new.stream_url not in change.existing.stream_url for new in wanted
                )


@pytest.mark.parametrize("rotate", [False, True])
@pytest.mark.parametrize("prune", [False, True])
def test_a_state_that_is_reached_is_in_sync_whatever_is_allowed(
    *, rotate: bool, prune: bool
) -> None:
    changes = changes_between(
        [want("a"), want("b")], [have(1, "b"), have(2)], rotate=rotate, prune=prune
    )
    assert all(change.is_in_sync for change in changes)
