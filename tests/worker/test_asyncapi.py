"""The AsyncAPI document describes what workers read and write."""

import json
import re
from datetime import UTC, datetime
from typing import Any

from restream_async import BadRequestError, Created, Failed, NewRestream, Origin, Restream
from restream_async.errors import Call
from restream_async.handling.command_messages import Unusable
from restream_async.handling.message_handler import DeadItem, Handled
from restream_async.handling.reports import Source, reports
from restream_async.worker.asyncapi import document
from restream_async.worker.subjects import Subjects
from tests.helpers.examples import to_json_fields

DOCUMENT: dict[str, Any] = json.loads(document(Subjects()))
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
NEW = NewRestream(video_id="v", title="t", stream_url="rtmp://h/a", stream_key="k", status=True)
RESTREAM = Restream(
    id=1, video_id="v", title="t", stream_url="rtmp://h/a", stream_key="k", status=True
)
ERROR = BadRequestError(Call("POST", "/r", "v"), status=400)
SOURCE = Source(stream="S", sequence=1, stored=datetime.now(UTC), delivery=1, message_id=None)


def test_every_reference_leads_somewhere() -> None:
    paths = re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DOCUMENT))
    assert paths
    for path in paths:
        found = DOCUMENT
        for part in path.split("/"):
            found = found[part]


def test_the_schemas_have_the_fields_of_commands_and_reports() -> None:
    done = Created(index=0, request=NEW, restream=RESTREAM, attempts=1)
    failed = Failed(index=1, request=NEW, error=ERROR, attempts=1)
    handled = Handled(
        done=(done,),
        dead=(
            DeadItem(index=1, reason="no", failed=failed),
            DeadItem(index=2, reason="no", item=Unusable("no", "v", "t")),
        ),
    )
    created, dead, unusable = (json.loads(report.body) for report in reports(handled, SOURCE))

    for name, example in (
        ("Command", to_json_fields(NEW)),
        ("CreatedReport", created),
        ("FailedReport", dead),
        ("FailedReport", unusable),
    ):
        assert set(SCHEMAS[name]["properties"]) == set(example), name


def test_an_unreadable_message_has_the_required_fields_of_a_failure() -> None:
    [report] = reports(Handled(dead=(DeadItem(index=0, reason="no"),)), SOURCE)

    assert set(SCHEMAS["FailedReport"]["required"]) == set(json.loads(report.body))


def test_the_origins_are_those_of_the_library() -> None:
    assert SCHEMAS["CreatedReport"]["properties"]["origin"]["enum"] == [
        each.value for each in Origin if each is not Origin.JOURNAL
    ]
