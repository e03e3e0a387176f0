from __future__ import annotations

import json

import pytest
from yarl import URL

from restream_async.sandbox import Sandbox
from tests.helpers.sandbox_client import create_body, open_client


async def test_a_creation_is_answered_with_the_envelope_of_the_documentation() -> None:
    async with open_client(Sandbox()) as client:
        answer = await client.create("v1", title="YouTube", status=False)

    assert answer.status == 201
    assert answer.envelope == {
        "success": True,
        "errors": [],
        "messages": [],
        "result": {
            "id": 1,
            "title": "YouTube",
            "streamKey": "s3cret",
            "streamUrl": "rtmps://live.example/app",
            "status": False,
            "videoId": "v1",
        },
        "resultInfo": None,
        "statusCode": 201,
    }


async def test_a_created_restream_is_stored() -> None:
    sandbox = Sandbox()
    async with open_client(sandbox) as client:
        await client.create("v1")

    [stored] = sandbox.stored
    assert (stored.id, stored.video_id, stored.title) == (1, "v1", "YouTube")
    assert (stored.stream_url, stored.stream_key) == ("rtmps://live.example/app", "s3cret")
    assert stored.status is True


async def test_the_repr_of_a_stored_restream_hides_where_it_goes() -> None:
    sandbox = Sandbox()
    async with open_client(sandbox) as client:
        await client.create()

    shown = repr(sandbox.stored)
    assert "YouTube" in shown
    assert "s3cret" not in shown
    assert "live.example" not in shown


async def test_ids_are_strings_if_set() -> None:
    sandbox = Sandbox(ids="str")
    async with open_client(sandbox) as client:
        created = await client.create()
        toggled = await client.toggle(created.result["id"])

    assert created.result["id"] == "1"
    assert toggled.result == {"id": "1", "status": False}
    assert sandbox.stored[0].id == "1"


async def test_creating_the_same_twice_stores_two_restreams_and_shows_them_as_duplicates() -> None:
    sandbox = Sandbox()
    async with open_client(sandbox) as client:
        await client.create("v1")
        await client.create("v2")
        await client.create("v1", title="another title is still the same stream")
        await client.create("v1", streamKey="another")

    assert [restream.id for restream in sandbox.stored] == [1, 2, 3, 4]
    assert [[restream.id for restream in group] for group in sandbox.duplicates()] == [[1, 3]]


async def test_listing_a_video_shows_its_restreams_alone_in_order_of_creation() -> None:
    async with open_client(Sandbox()) as client:
        await client.create("v1", streamKey="a")
        await client.create("v2", streamKey="b")
        await client.create("v1", streamKey="c")
        answer = await client.list("v1")

    assert answer.status == answer.envelope["statusCode"] == 200
    assert [restream["streamKey"] for restream in answer.result] == ["a", "c"]
    assert answer.result[0] == create_body("v1", id=1, streamKey="a")


async def test_listing_a_video_without_restreams_is_an_empty_success() -> None:
    async with open_client(Sandbox()) as client:
        answer = await client.list("nothing")

    assert (answer.status, answer.result) == (200, [])


async def test_toggling_flips_the_status_each_time() -> None:
    sandbox = Sandbox()
    async with open_client(sandbox) as client:
        await client.create(status=True)
        first = await client.toggle(1)
        second = await client.toggle(1)
        listed = await client.list("v1")

    assert (first.status, first.result) == (200, {"id": 1, "status": False})
    assert second.result == {"id": 1, "status": True}
    assert listed.result[0]["status"] is True
    assert sandbox.stored[0].status is True


async def test_a_deleted_restream_is_gone() -> None:
    sandbox = Sandbox()
    async with open_client(sandbox) as client:
        await client.create("v1", streamKey="a")
        await client.create("v1", streamKey="b")
        deleted = await client.delete(1)
        listed = await client.list("v1")
        again = await client.delete(1)

    assert (deleted.status, deleted.result) == (200, True)
    assert [restream["id"] for restream in listed.result] == [2]
    assert [restream.id for restream in sandbox.stored] == [2]
    assert again.status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/restreams/7/toggle"),
        ("DELETE", "/restreams/7"),
        ("GET", "/restreams"),
        ("POST", "/restreams/"),
        ("POST", "/somewhere/else"),
        ("GET", "/../../../"),
    ],
)
async def test_a_missing_restream_is_answered_with_a_404_envelope(method: str, path: str) -> None:
    async with open_client(Sandbox()) as client:
        answer = await client.send(method, path)

    assert answer.status == answer.envelope["statusCode"] == 404
    assert answer.envelope["success"] is False
    assert answer.envelope["errors"] == ["Result Not Found"]


async def test_another_project_is_not_found_and_nothing_is_stored() -> None:
    sandbox = Sandbox(project_id="mine")
    async with open_client(sandbox) as client:
        url = f"{sandbox.base_url}/api/v1/theirs/restreams"
        async with client.session.post(url, json=create_body()) as response:
            assert response.status == 404

    assert sandbox.stored == ()


async def test_percent_encoded_ids_are_decoded_after_the_path_is_split() -> None:
    sandbox = Sandbox(project_id="a project/1")
    async with open_client(sandbox) as client:
        root = f"{sandbox.base_url}/api/v1/a%20project%2F1"
        async with client.session.post(f"{root}/restreams", json=create_body("v/1 ü")) as response:
            assert response.status == 201
        url = URL(f"{root}/live-video/v%2F1%20%C3%BC/restreams", encoded=True)
        async with client.session.get(url) as response:
            listed = await response.json()

    assert [restream["videoId"] for restream in listed["result"]] == ["v/1 ü"]


@pytest.mark.parametrize("authorization", ["right", "Bearer right"])
async def test_the_key_is_accepted_alone_and_as_a_bearer_token(authorization: str) -> None:
    async with open_client(Sandbox(api_key="right")) as client:
        answer = await client.send("GET", "/live-videos", headers={"Authorization": authorization})

    assert answer.status == 200


@pytest.mark.parametrize("authorization", ["", "wrong", "Basic right", "Bearer wrong"])
async def test_a_wrong_key_is_refused_and_nothing_is_stored(authorization: str) -> None:
    sandbox = Sandbox(api_key="right")
    async with open_client(sandbox) as client:
        headers = {"Authorization": authorization}
        answer = await client.send("POST", "/restreams", json=create_body(), headers=headers)

    assert answer.status == answer.envelope["statusCode"] == 401
    assert answer.envelope["errors"] == ["Unauthorized"]
    assert sandbox.stored == ()


async def test_a_missing_key_is_refused() -> None:
    sandbox = Sandbox()
    async with open_client(sandbox) as client:
        del client.session.headers["Authorization"]
        answer = await client.create()

    assert answer.status == 401


@pytest.mark.parametrize("name", ["videoId", "title", "streamUrl", "streamKey"])
@pytest.mark.parametrize("value", ["", None, 7, ["a"]])
async def test_a_text_field_that_is_empty_or_no_text_is_named(name: str, value: object) -> None:
    sandbox = Sandbox()
    async with open_client(sandbox) as client:
        answer = await client.send("POST", "/restreams", json=create_body() | {name: value})

    assert answer.status == answer.envelope["statusCode"] == 400
    assert answer.envelope["errors"] == [f"{name} must be a non-empty string."]
    assert sandbox.stored == ()


@pytest.mark.parametrize("value", [None, "true", 1])
async def test_a_status_that_is_no_boolean_is_named(value: object) -> None:
    async with open_client(Sandbox()) as client:
        answer = await client.create(status=value)

    assert (answer.status, answer.envelope["errors"]) == (400, ["status must be a boolean."])


async def test_every_missing_field_is_named() -> None:
    async with open_client(Sandbox()) as client:
        answer = await client.send("POST", "/restreams", json={})

    assert [error.split()[0] for error in answer.envelope["errors"]] == [
        "videoId",
        "title",
        "streamUrl",
        "streamKey",
        "status",
    ]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[" * 100_000], ids=["empty", "cut", "latin", "deep"]
)
async def test_a_body_that_is_no_json_is_a_bad_request(body: bytes) -> None:
    async with open_client(Sandbox()) as client:
        answer = await client.send("POST", "/restreams", data=body)

    assert (answer.status, answer.envelope["errors"]) == (400, ["The body is not valid JSON."])


async def test_a_body_that_is_no_object_is_a_bad_request() -> None:
    async with open_client(Sandbox()) as client:
        answer = await client.send("POST", "/restreams", data=b"[]")

    assert (answer.status, answer.envelope["errors"]) == (400, ["The body must be a JSON object."])


async def test_text_that_utf8_cannot_hold_survives_the_way_in_and_out() -> None:
    async with open_client(Sandbox()) as client:
        body = json.dumps(create_body("\ud800", title="日本"))
        created = await client.send("POST", "/restreams", data=body)

    assert created.result["videoId"] == "\ud800"
    assert created.result["title"] == "日本"


async def test_the_videos_that_had_a_restream_can_be_paged_through() -> None:
    async with open_client(Sandbox()) as client:
        for video_id in ("v1", "v2", "v3"):
            await client.create(video_id)
        await client.create("v1")
        first = await client.send("GET", "/live-videos?page=1&take=2")
        second = await client.send("GET", "/live-videos?page=2&take=2")

    assert first.result == {
        "currentPage": 1,
        "totalPages": 2,
        "pageSize": 2,
        "totalCount": 3,
        "items": [{"publicId": "v1"}, {"publicId": "v2"}],
    }
    assert second.result["items"] == [{"publicId": "v3"}]


async def test_the_first_ten_videos_are_shown_unless_asked_otherwise() -> None:
    async with open_client(Sandbox()) as client:
        for number in range(11):
            await client.create(f"v{number}")
        answer = await client.send("GET", "/live-videos")

    assert len(answer.result["items"]) == answer.result["pageSize"] == 10
    assert answer.result["totalPages"] == 2


async def test_videos_are_searched_without_regard_to_case() -> None:
    async with open_client(Sandbox()) as client:
        for video_id in ("Match-1", "news", "rematch"):
            await client.create(video_id)
        answer = await client.send("GET", "/live-videos?search=MATCH")

    assert answer.result["items"] == [{"publicId": "Match-1"}, {"publicId": "rematch"}]


@pytest.mark.parametrize("name", ["page", "take"])
@pytest.mark.parametrize("value", ["0", "-1", "two", "9" * 5000], ids=["0", "-1", "two", "long"])
async def test_a_page_that_is_no_counting_number_is_a_bad_request(name: str, value: str) -> None:
    async with open_client(Sandbox()) as client:
        answer = await client.send("GET", f"/live-videos?{name}={value}")

    assert (answer.status, answer.envelope["errors"]) == (400, [f"{name} must be an integer >= 1."])
