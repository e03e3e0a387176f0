"""What a list says about a wanted restream where it does not show all of it."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING, TypeAlias

import attrs
import pytest

from restream_async import NewRestream, Origin, OutcomeUnknownError
from restream_async._operations.existence import CheckContext, Existence, Inconclusive, key_of
from restream_async._operations.matching import Match
from restream_async.models import Failed
from tests.helpers.examples import STREAM_KEY, new, stored
from tests.helpers.in_memory_service import Backend, Fate, in_memory_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from restream_async import Restream
    from restream_async._http.messages import Request

Fields: TypeAlias = dict[str, object]

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


@pytest.mark.parametrize(("count", "more"), [(5, ""), (6, ", …"), (9, ", …")])
def test_many_hidden_keys_are_named_in_short(count: int, more: str) -> None:
    assert str(Inconclusive(tuple(range(count)))).startswith(
        f"restream 0, 1, 2, 3, 4{more} may be the wanted one"
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


def test_a_traceback_with_locals_shows_no_key() -> None:
    assert repr([key_of(new())]) == "[Key(***)]"


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


def test_a_form_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    existence = Existence()
    for _ in range(3):
        find(existence, stored(stream_key=HIDDEN))
        assert [record.args for record in caplog.records] == [("streamKey",)]


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

    def test_has_a_known_id_only_if_it_is_accepted(self) -> None:
        existence = Existence()
        answer = stored(stream_key=HIDDEN)
        find(existence, stored(), unaccepted={7: answer})
        assert existence.accepts(new(), attrs.evolve(answer, id=8))
        assert not existence.accepts(new(), stored(id=9, stream_key="another"))
        accepted, refused = (stored(id=number, stream_key=HIDDEN) for number in (8, 9))
        assert find(existence, accepted) == accepted
        assert find(existence, refused) is None


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


def test_a_listed_key_may_stand_for_another_if_it_is_short_or_masked_or_lists_hide_keys() -> None:
    existence = Existence()
    shown = (HIDDEN, "abcd", STREAM_KEY)
    assert [*map(existence.may_be_another_key, shown)] == [True, True, False]
    for number in (5, 6):
        existence.remember_id(new(stream_key=f"another-{number}"), number)
    existence.learn([], [stored(id=number, stream_key="77a0" * 9) for number in (5, 6)])
    assert existence.may_be_another_key(STREAM_KEY)


def wanted(number: int) -> NewRestream:
    return NewRestream(
        video_id=f"v{number % 50}",
        title="YouTube",
        stream_url=f"rtmps://Live{number % 2}.example/app",
        stream_key=f"{number:05}-stream-key-{number:05}",
        status=True,
    )


def masked(fields: Fields) -> Fields:
    return {**fields, "streamKey": f"****{str(fields['streamKey'])[-4:]}"}


def starred(fields: Fields) -> Fields:
    return {**fields, "streamKey": "********"}


def left_out(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if name != "streamKey"}


def hashed(fields: Fields) -> Fields:
    key = str(fields["streamKey"]).encode()
    return {**fields, "streamKey": hashlib.sha256(key).hexdigest()}


def tidied(fields: Fields) -> Fields:
    return {**fields, "streamUrl": f"{str(fields['streamUrl']).lower()}/"}


@pytest.mark.parametrize("show", [masked, starred, left_out, tidied])
async def test_nothing_is_created_twice(show: Callable[[Fields], Fields]) -> None:
    chance = random.Random(1)  # noqa: S311 - which answers are lost

    def choose(request: Request) -> Fate:
        lost = request.method == "POST" and chance.random() < 0.1
        return Fate.LOST_AFTER if lost else Fate.DONE

    backend = Backend()
    backend.show = show
    backend.choose = choose
    client = in_memory_client(backend)
    requests = [wanted(number) for number in range(300)]
    async with client.run(*requests) as run:
        report = await run.report()

    assert max(backend.copies.values()) == 1
    assert len(report.created) + len(report.failed) == 300
    assert all(isinstance(failed.error, OutcomeUnknownError) for failed in report.failed)
    # Before a first list has shown the form, nothing is known of what was there before.
    assert len(report.failed) <= 8
    assert client.creator.existence.forms == (("streamUrl",) if show is tidied else ("streamKey",))


async def test_a_creation_is_found_by_what_was_not_there_before() -> None:
    backend = Backend()
    backend.show = starred
    backend.add(wanted(1))
    client = in_memory_client(backend)
    async with client.run(wanted(1), ensure=True) as run:
        first = await run.report()
    backend.meets("POST", Fate.LOST_AFTER)
    another = NewRestream(
        video_id="v1",
        title="YouTube",
        stream_url=wanted(1).stream_url,
        stream_key="another-key",
        status=True,
    )
    async with client.run(another) as run:
        second = await run.report()

    assert isinstance(first.failed[0], Failed)
    assert [item.origin for item in second.created] == [Origin.CONFIRMED]
    assert len(backend.stored) == 2


async def test_hashed_keys_are_noticed_by_known_ids() -> None:
    backend = Backend()
    backend.show = hashed
    client = in_memory_client(backend)
    async with client.run(*map(wanted, range(0, 100, 50))) as run:
        await run.report()
    backend.meets("POST", Fate.LOST_AFTER)
    async with client.run(wanted(100)) as run:
        report = await run.report()

    assert isinstance(report.failed[0].error, OutcomeUnknownError)
    assert max(backend.copies.values()) == 1


async def test_copies_that_cannot_be_told_apart_stay_unchecked() -> None:
    backend = Backend()
    backend.meets("POST", Fate.LATE)
    client = in_memory_client(backend)
    async with client.run(wanted(1), repair=True) as run:
        await anext(run)
        backend.show = starred
        report = await run.report()

    assert report.unchecked == 1
    assert backend.count("DELETE") == 0


async def test_urls_that_are_equal_as_urls_are_one_restream_for_repairs_too() -> None:
    backend = Backend()
    backend.meets("POST", Fate.LOST_BEFORE)
    first = NewRestream(
        video_id="v1",
        title="YouTube",
        stream_url="rtmps://live.example/app",
        stream_key="key",
        status=True,
    )
    second = attrs.evolve(first, stream_url="rtmps://live.example/app/")
    async with in_memory_client(backend).run(first, second, repair=True) as run:
        report = await run.report()
    assert len(backend.stored) == 1
    assert {item.restream.id for item in report.created} == {backend.stored[0].id}
    assert report.duplicates == ()
