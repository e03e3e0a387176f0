"""What a journal knows of a creation."""

from restream_async._journal.entries import BEGUN, DONE, State
from tests.helpers.in_memory_service import IDENTITY


def test_no_state_is_done_and_begun() -> None:
    assert not DONE & BEGUN
    assert State.FAILED not in DONE | BEGUN
    assert State.UNDONE not in DONE | BEGUN


def test_an_identity_does_not_show_its_api_key() -> None:
    assert IDENTITY.api_key not in repr(IDENTITY)
