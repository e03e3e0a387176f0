import pytest

from tests.helpers.command_line import Cli
from tests.helpers.message_index import index


def test_each_message_is_in_the_index_once_with_the_tests_that_bring_it() -> None:
    said = [
        ("Error: line 3 of /tmp/pytest-of-me/pytest-7/test_a0/in.csv is bad", "a.py::test_a[x]"),
        (
            "Error: line 4 of /tmp/pytest-of-me/pytest-7/popen-gw1/test_b0/in.csv is bad",
            "a.py::test_b",
        ),
        ("Error: line 3 of /tmp/pytest-of-me/pytest-7/test_a0/in.csv is bad", "a.py::test_a[y]"),
        ("All is well", "a.py::test_c"),
        ('{"line": 2}', "a.py::test_c"),
        ("", "a.py::test_c"),
        *(("Often", f"a.py::test_{name}") for name in "defgh"),
    ]
    assert index(said) == (
        "All is well\n"
        "    a.py::test_c\n"
        "\n"
        "Error: line 3 of FOLDER/in.csv is bad\n"
        "    a.py::test_a\n"
        "    a.py::test_b\n"
        "\n"
        "Often\n"
        "    a.py::test_d\n"
        "    a.py::test_e\n"
        "    a.py::test_f\n"
        "    and 2 more\n"
    )


def test_what_the_command_line_says_is_collected(
    cli: Cli, settings: object, messages: dict[str, None], request: pytest.FixtureRequest
) -> None:
    del settings
    cli("bulk", "nothing.csv")
    assert [*messages] == ["Error: cannot read nothing.csv: no such file or directory"]
    assert request.node.user_properties == [], "until the test is over"
