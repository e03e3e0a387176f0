import pytest

from restream_async._util.urls import normal_url, wrong_address

HOST = "must have a host that can be read: a name, or an address (IPv6 in [brackets])"
BOTH = "must have a scheme and a host, such as https://h"
PORT = "must have a port from 1 to 65535, or none"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://h", ""),
        ("rtmp://h:1935/app?k=v", ""),
        ("https://[::1]:65535", ""),
        ("https://[::1", HOST),
        ("h", BOTH),
        ("h:443", BOTH),
        ("//h", BOTH),
        ("https://", BOTH),
        ("https://:443", BOTH),
        ("https:// ", BOTH),
        ("https://h:0", PORT),
        ("https://h:65536", PORT),
        ("https://h:443x", PORT),
    ],
)
def test_what_is_wrong_with_an_address_is_said_without_it(url: str, problem: str) -> None:
    assert wrong_address(url, "https://h") == problem


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("rtmp://a.example/app", "rtmp://a.example/app"),
        ("RTMPS://u:p@A.Example:443/app/?x=1#y", "rtmps://u:p@a.example/app?x=1#y"),
        ("srt://a.example:9000/", "srt://a.example:9000"),
        ("rtmp://a.example:x/app", "rtmp://a.example:x/app"),
        ("rtmp://a.example:1935/app", "rtmp://a.example/app"),
        ("rtmpt://a.example:80/app", "rtmpt://a.example/app"),
        ("http://a.example:80/app", "http://a.example/app"),
        ("https://a.example:443/app", "https://a.example/app"),
        ("https://a.example:80/app", "https://a.example:80/app"),
        ("rtmp://a.example/%61%7e%2f%2F", "rtmp://a.example/a~%2F%2F"),
    ],
)
def test_all_spellings_of_a_url_have_one_normal_form(url: str, normal: str) -> None:
    assert normal_url(url) == normal
