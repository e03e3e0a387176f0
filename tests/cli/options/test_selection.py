import pytest

from restream_async.cli.errors import CliError
from restream_async.cli.options.selection import SelectionOptions
from restream_async.models import Restream


def restream(url: str = "rtmp://live.twitch.tv/app", title: str = "Twitch") -> Restream:
    return Restream(id=1, title=title, stream_key="k", stream_url=url, status=True, video_id="v1")


@pytest.mark.parametrize(
    ("host", "url", "selected"),
    [
        ("live.twitch.tv", "rtmp://live.twitch.tv/app", True),
        ("Live.Twitch.TV", "rtmp://LIVE.twitch.tv:1935/app", True),
        ("live.twitch.tv:1935", "rtmp://live.twitch.tv:1935/app", True),
        ("live.twitch.tv:1935", "rtmp://live.twitch.tv:1936/app", False),
        ("twitch.tv", "rtmp://live.twitch.tv/app", False),
        ("[2001:db8::7]", "rtmp://[2001:db8::7]/app", True),
        ("2001:db8::7", "rtmp://[2001:db8::7]:9000/app", True),
        ("live.twitch.tv", "", False),
        ("live.twitch.tv", "***", False),
        ("***", "***", False),
    ],
)
def test_a_destination_is_the_host_of_the_stream_url(
    host: str, url: str, *, selected: bool
) -> None:
    options = SelectionOptions(destination=[host])
    options.check()
    assert options.selects(restream(url)) is selected


def test_a_title_is_the_whole_title() -> None:
    options = SelectionOptions(title=["Twitch", "Own"])
    assert options.selects(restream(title="Own"))
    assert not options.selects(restream(title="own"))
    assert not options.selects(restream(title="Own server"))


def test_without_options_everything_is_selected() -> None:
    options = SelectionOptions()
    options.check()
    assert options.selects(restream())
    assert str(options) == ""
    assert not options.is_given


@pytest.mark.parametrize(
    "host",
    ["rtmp://a.example/key-secret", "user:key-secret@a.example", "Own server", "", " ", "a?b"],
)
def test_what_is_no_host_is_refused_and_not_repeated(host: str) -> None:
    with pytest.raises(CliError) as caught:
        SelectionOptions(destination=["a.example", host]).check()
    assert str(caught.value) == (
        "--destination takes a host, such as live.twitch.tv, not a URL or a title"
    )


def test_it_says_what_is_selected_in_words() -> None:
    options = SelectionOptions(destination=["a.example", "b.example"], title=["T\x1b[2J"])
    assert str(options) == " to a.example or b.example with the title 'T [2J'"
    assert options.is_given
