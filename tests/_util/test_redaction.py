import time
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from restream_async._util.redaction import (
    MASK,
    clean,
    mask_url,
    may_hold_foreign_secrets,
    may_repeat,
    one_line,
    redact,
    redact_values,
    url_secrets,
)
from tests.helpers.strategies import SPELLINGS, quick, spellings

# A secret of the mask's own characters could be put together again by masking.
letters = st.characters(exclude_categories=["Cs"], exclude_characters="*")
secrets = st.text(letters, min_size=3)
spelling_names = st.sampled_from(sorted(SPELLINGS))

STEERING = {"Cc", "Cs", "Co", "Zl", "Zp"}
TURNING = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
INVISIBLE = set("\u00ad\u180e\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff")


@given(secret=secrets, spelling=spelling_names, before=st.text(), after=st.text())
@quick
def test_a_secret_is_taken_out_in_every_spelling(
    secret: str, spelling: str, before: str, after: str
) -> None:
    spelled = SPELLINGS[spelling](secret)
    redacted = redact(f"{before}{spelled}{after}", [secret])
    assert MASK in redacted
    assert not [form for form in spellings(secret) if form in redacted]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_of_no_spelling_a_character_is_left(spelling: str) -> None:
    spelled = SPELLINGS[spelling]('ö"/<ö')
    assert redact(f"({spelled})", ['ö"/<ö']) == f"({MASK})"


@given(secret=secrets, spelling=spelling_names, data=st.data())
@quick
def test_a_text_that_may_repeat_a_secret_is_told(
    secret: str, spelling: str, data: st.DataObject
) -> None:
    spelled = SPELLINGS[spelling](secret)
    end = data.draw(st.integers(3, len(spelled)))
    words = st.text("abc-1", max_size=3)
    text = data.draw(words) + spelled[:end] + data.draw(words)
    assert may_repeat(text, (secret,)) or redact(text, [secret]) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("v7", False),
        ("k7-live", False),
        ("v-key", True),
        ("v 7", True),
        ("AB", False),
        ("xABC", True),
    ],
)
def test_another_text_is_told_apart(text: str, *, told: bool) -> None:
    assert may_repeat(text, ("key", "%41BCD", "ab")) is told


@given(
    secret=st.text(letters, min_size=5),
    spelling=spelling_names,
    before=st.text(),
    data=st.data(),
)
@quick
def test_a_secret_that_the_text_was_cut_off_in_is_taken_out(
    secret: str, spelling: str, before: str, data: st.DataObject
) -> None:
    spelled = SPELLINGS[spelling](secret)
    piece = spelled[: data.draw(st.integers(4, len(spelled) - 1))]
    assert not redact(before + piece, [secret]).endswith(piece)


def test_the_beginning_of_a_cut_secret_may_overlap_with_the_text_before() -> None:
    assert redact("aaaaa", ["aaaaXY"]) == f"a{MASK}"


@given(secret=secrets, spelling=spelling_names, words=st.lists(st.text()), data=st.data())
@quick
def test_a_secret_is_taken_out_of_a_text_on_one_line(
    secret: str, spelling: str, words: list[str], data: st.DataObject
) -> None:
    spelled = SPELLINGS[spelling](secret)
    seen = one_line(spelled)
    assume(len(seen) >= 3)
    words.insert(data.draw(st.integers(0, len(words))), spelled)
    assert seen not in redact(one_line(" ".join(words)), [secret])


@given(st.lists(st.text("abcdefgh/+%", min_size=3)), st.text("0123456789 .:-"))
@quick
def test_a_text_without_secrets_stays_as_it_is(several: list[str], text: str) -> None:
    assert redact(text, several) == text


@pytest.mark.parametrize(
    ("text", "several", "redacted"),
    [
        ("key abcd, again abcd", ["abcd"], "key ***, again ***"),
        ("key abcdef", ["abc", "abcdef"], "key ***"),
        ("key abcde", ["abcdefgh"], "key ***"),
        ("key abcd", ["abcdefgh"], "key ***"),
        # Fewer than four characters of a secret tell nobody anything.
        ("key abc", ["abcdefgh"], "key abc"),
        ("abcd is the beginning", ["abcdefgh"], "abcd is the beginning"),
        # A secret that begins again within itself, cut off in its second half.
        ("key live/live", ["live/live/xyz"], "key ***"),
        # A whole secret goes before the cut off one that it ends like.
        ("key xyzabcd", ["xyzabcd", "abcdefgh"], "key ***"),
        ("key abcdabcde", ["abcdefgh"], "key abcd***"),
        ("key abcd, abcde", ["abcdefghijklmnop"], "key abcd, ***"),
        # Two characters are no secret, and blanking them out would leave no text.
        ("ab is short", ["ab", ""], "ab is short"),
        ("ab/cd as ab%2Fcd, ab%2fcd, ab\\/cd", ["ab/cd"], "*** as ***, ***, ***"),
        ("ab/cd as ab%2Fcd", ["ab%2Fcd"], "*** as ***"),
        ("a/b and ab", ["a%2Fb", "a%62"], "*** and ab"),
        ("a&b<c as a&amp;b&lt;c, a\\u0026b\\u003Cc", ["a&b<c"], "*** as ***, ***"),
        ('a"b\\c as a\\"b\\\\c, a\\u0022b\\\\c', ['a"b\\c'], "*** as ***, ***"),
        ("für as f\\u00fcr, f\\u00FCr, f%C3%BCr", ["für"], "*** as ***, ***, ***"),
        ("a b+c as a+b%2Bc", ["a b+c"], "*** as ***"),
        # As Python shows a string with both kinds of quotes.
        ("""(\\'a\\'"b")""", ["""'a'"b\""""], "(***)"),
        ("nothing", [], "nothing"),
        ("", ["abcd"], ""),
    ],
)
def test_redacting(text: str, several: list[str], redacted: str) -> None:
    assert redact(text, several) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "an ordinary line of text, again and again\n" * 25_000,
        "abcd-efgh-ijkl " * 70_000,
        "abcd-efgh-ijkm" * 75_000,
        "a" * 2**20,
        "rtmps://" * 2**17,
        "%2F" * 350_000,
        "\\u00fc" * 175_000,
    ],
)
def test_a_mebibyte_is_redacted_at_once(text: str) -> None:
    several = [
        "abcd-efgh-ijkl",
        "a" * 200 + "b",
        *url_secrets("rtmps://user:passwörd@live.example.com/app/%2F%2F%2Fkey?token=a+b&x=y"),
        "rtmps://" * 50 + "x",
    ]
    begin = time.process_time()
    redact(text, several)
    assert time.process_time() - begin < 1


def test_very_many_small_values_are_redacted_at_once() -> None:
    begin = time.process_time()
    values = redact_values([""] * 20_000, ["abcd-efgh", *url_secrets("rtmps://u:p/w@h/app/key")])
    assert time.process_time() - begin < 1
    assert len(values) == 20_000


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("the key is abcd", "the key is ***"),
        ("the key is abc", "the key is abc"),
        (["abcd", ["abcd"]], ["***", ["***"]]),
        (("abcd", 1), ["***", 1]),
        ({"code": 1, "text": "abcd"}, {"code": 1, "text": "***"}),
        ({"abcd": 1, "x abcd": 2}, {"***": 1, "x ***": 2}),
        ({1: "abcd"}, {"1": "***"}),
        (
            {"StreamKey": "foreign", "stream_url": ["foreign"]},
            {"StreamKey": MASK, "stream_url": MASK},
        ),
        ({"stream-key": 1, "streamURL": 2}, {"stream-key": MASK, "streamURL": MASK}),
        ({"Authorization": "x", "apiKey": "x"}, {"Authorization": MASK, "apiKey": MASK}),
        ({"api_key": "x", "X-API-Key": "x"}, {"api_key": MASK, "X-API-Key": MASK}),
        ({"key": "kept", "stream": "kept"}, {"key": "kept", "stream": "kept"}),
        (987654, "***"),
        (-987654, "-***"),
        (19876540, "1***0"),
        (987654.5, "***.5"),
        (98765, "***"),
        (98, 98),
        (1.5, 1.5),
        (True, True),
        (False, False),
        (None, None),
    ],
)
def test_redacting_a_value(value: object, shown: object) -> None:
    [redacted] = redact_values([value], ["abcd", "987654"])
    assert redacted == shown
    assert type(redacted) is type(shown)


def test_what_is_nested_too_deeply_to_be_read_is_not_shown() -> None:
    value: object = "abcd"
    for _ in range(2000):
        value = [value]
    assert redact_values([value], ["abcd"]) == [[[[[[[[["…"]]]]]]]]]
    value = {"1": [{"3": ({"5": [{"7": {"8": "abcd"}}]},)}]}
    assert redact_values([value], ["abcd"]) == [{"1": [{"3": [{"5": [{"7": {"8": "…"}}]}]}]}]


@given(st.text(), st.integers(1, 50))
@quick
def test_a_cleaned_text_is_one_printable_line_of_the_length_asked_for(
    text: str, longest: int
) -> None:
    cleaned = clean(text, longest)
    assert len(cleaned) <= longest
    assert len(cleaned.splitlines()) <= 1
    assert cleaned == cleaned.strip()
    assert not {unicodedata.category(character) for character in cleaned} & STEERING
    assert not set(cleaned) & (TURNING | INVISIBLE)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain words", "plain words"),
        ("  two \n lines\r\n\t and a tab ", "two lines and a tab"),
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
        ("bell\x07 backspace\x08", "bell backspace"),
        ("\x9b31mred", "31mred"),
        ("line\u2028separator\u2029here", "line separator here"),
        ("evil\u202etxt.exe", "evil txt.exe"),
        ("a\u2066b\u2069c\u200fd\u061ce", "a b c d e"),
        ("zero\u200bwidth\ufeff joiner\u2060", "zero width joiner"),
        ("half \ud83d pair", "half pair"),
        ("Ünïcode, кириллица, 日本語, עברית", "Ünïcode, кириллица, 日本語, עברית"),
        ("5 € for “this” …", "5 € for “this” …"),
        ("exactly twenty-one ch", "exactly twenty-one ch"),
        ("", ""),
        ("\n", ""),
    ],
)
def test_cleaning(text: str, cleaned: str) -> None:
    assert clean(text, 60) == cleaned
    assert one_line(text) == cleaned


@pytest.mark.parametrize(
    ("longest", "cut"),
    [(11, "lorem ipsum"), (10, "lorem ips…"), (7, "lorem…"), (6, "lorem…"), (1, "…")],
)
def test_a_cleaned_text_shows_that_it_was_cut(longest: int, cut: str) -> None:
    assert clean("lorem  ipsum", longest) == cut


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtmps://live.example.com", "rtmps://live.example.com"),
        ("rtmps://live.example.com/", "rtmps://live.example.com"),
        ("rtmps://live.example.com:443/app/key", "rtmps://live.example.com:443/***"),
        ("RTMPS://LIVE.example.com/key", "rtmps://live.example.com/***"),
        ("rtmps://user:password@live.example.com", "rtmps://live.example.com"),
        ("rtmps://key@live.example.com:1", "rtmps://live.example.com:1"),
        ("srt://live.example.com:9000?streamid=key", "srt://live.example.com:9000/***"),
        ("rtmps://live.example.com#key", "rtmps://live.example.com/***"),
        ("rtmp://[2001:db8::1]:1935/key", "rtmp://[2001:db8::1]:1935/***"),
        ("rtmp://[2001:db8::1/key", "***"),
        ("rtmp://live.example.com:key/app", "***"),
        ("key", "***"),
        ("", "***"),
    ],
)
def test_of_a_stream_url_scheme_host_and_port_are_shown(url: str, shown: str) -> None:
    assert mask_url(url) == shown


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("rtmps://h/app", set[str]()),
        # Seven characters are the name of an application, eight may be a key.
        ("rtmps://h/live247", set[str]()),
        ("rtmps://h/live-247", {"live-247"}),
        ("rtmps://h/app/key", {"key"}),
        ("rtmps://h/app//inst/key/", {"inst", "key"}),
        ("rtmps://user:pa:ss@h/app", {"user:pa:ss", "user", "pa:ss"}),
        ("rtmps://token@h", {"token"}),
        ("https://h/x?cid=key&flag&a=b=c", {"cid=key&flag&a=b=c", "key", "flag", "b=c"}),
        ("rtmps://h/app#key", {"key"}),
        ("rtmp://[broken/app/key", set[str]()),
    ],
)
def test_a_stream_url_hides_secrets_in_many_places(url: str, parts: set[str]) -> None:
    assert url_secrets(url)[0] == url
    assert {part for part in url_secrets(url)[1:] if part} == parts


@pytest.mark.parametrize(
    "text",
    [
        '{"streamKey": "x"}',
        '{"StreamUrl": "x"}',
        "stream_key=x",
        "stream-url: x",
        "pushed to RTMP://h/app/x",
        "rtmps://h",
        "srt://h",
        "Authorization: x",
    ],
)
def test_a_text_with_a_telltale_may_hold_foreign_secrets(text: str) -> None:
    assert may_hold_foreign_secrets(text)


@pytest.mark.parametrize("text", ["", "503 Backend fetch failed", "the stream is gone", "key"])
def test_another_text_does_not(text: str) -> None:
    assert not may_hold_foreign_secrets(text)
