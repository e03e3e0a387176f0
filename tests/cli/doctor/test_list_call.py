from restream_async._http.list_response import read_page
from restream_async._http.messages import Request, Response
from restream_async._retry.classification import Failure, classify
from restream_async._util.clock import Clock
from restream_async.cli.doctor.list_call import Answer
from tests.helpers.samples import envelope


def answered(response: Response) -> Answer:
    verdict = classify(
        Request("GET", "/list"), response, read_page, secrets=(), wall_clock=Clock().wall_clock
    )
    return Answer(response=response, verdict=verdict, seconds=0.0, sent_at=0.0)


def test_the_status_of_the_envelope_counts() -> None:
    answer = answered(Response(200, "OK", body=envelope(None, status=401)))
    assert isinstance(answer.verdict, Failure)
    assert (answer.status, answer.summary) == (401, "401 Unauthorized")
    assert answer.note.startswith("Check the API key (RESTREAM_API_KEY or --api-key-file) and the")


def test_a_success_has_nothing_to_advise() -> None:
    answer = answered(Response(200, "Fine", body=envelope([])))
    assert (answer.error, answer.status, answer.summary, answer.note) == (None, 200, "200 OK", "")


def test_the_status_of_http_counts_if_the_list_cannot_be_read() -> None:
    answer = answered(Response(200, "OK", body=b"no"))
    assert answer.status == 200
    assert answer.summary.startswith("the answer cannot be read (it is not JSON")
