import pytest

from restream_async._util.text_files import NoTextError, foreign_encoding, text_of_file


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"key", "key"),
        (b"key\n", "key"),
        (b"key\r\n", "key"),
        (b"key\n\n", "key\n"),
        (b" key ", " key "),
        (b"\xef\xbb\xbfkey", "key"),
        ("\ufeff\ufeffk\u00fc".encode(), "\ufeffk\u00fc"),
    ],
    ids=range(8),
)
def test_a_byte_order_mark_and_one_line_break_belong_to_the_file(data: bytes, text: str) -> None:
    assert text_of_file(data) == text


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("key".encode("utf-16"), "is UTF-16: save it as UTF-8"),
        ("key".encode("utf-32-be"), "is UTF-32: save it as UTF-8"),
        (b"SECRET\xff", "is not UTF-8"),
    ],
    ids=range(3),
)
def test_another_encoding_is_named_and_the_text_is_not_repeated(data: bytes, problem: str) -> None:
    with pytest.raises(NoTextError) as caught:
        text_of_file(data)
    assert str(caught.value) == problem
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_an_encoding_is_known_by_its_beginning_with_and_without_a_mark(encoding: str) -> None:
    assert foreign_encoding("videoId,title".encode(encoding)).startswith(encoding[:6].upper(), 3)
    assert foreign_encoding("videoId,title".encode("utf-8-sig")) == ""
