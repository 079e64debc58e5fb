"""Amazon DynamoDB."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any, cast

from ..logs import summary
from .base import Adapter

log = logging.getLogger(__name__)


class DynamoDBStore(Adapter):
    """An item each in Flask-Session's table, through the client, which threads may share, not the resource.

    Expired items are removed by DynamoDB where its time to live is switched on. Flask-Session means to do that,
    but never does.
    """

    store_class = "flask_session.DynamoDBSessionInterface"
    setting = 'SESSION_TYPE = "dynamodb"'
    client_setting = "SESSION_DYNAMODB"
    advice = 'SESSION_DYNAMODB = boto3.resource("dynamodb")'

    def __init__(self, interface: Any, clock: Callable[[], float]) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        super().__init__(interface, clock)
        self.errors = (BotoCoreError, ClientError)
        self._client, self._table = interface.store.meta.client, interface.store.name
        self._warn_of_what_stays()

    def _warn_of_what_stays(self) -> None:
        try:
            status = self._client.describe_time_to_live(TableName=self._table)["TimeToLiveDescription"]
            if status["TimeToLiveStatus"].startswith("ENABL"):
                return
        except self.errors as exc:
            log.info("DynamoDB does not say whether its time to live is on: %s", summary(exc))
        log.warning(
            "DynamoDB keeps expired sessions and ceremonies forever unless you run: "
            "aws dynamodb update-time-to-live --table-name %s "
            "--time-to-live-specification Enabled=true,AttributeName=expiration",
            self._table,
        )

    def _put(self, name: str, value: bytes, lifetime: int) -> None:
        item = {"id": name, "val": value, "expiration": math.ceil(self._clock() + lifetime)}
        self._client.put_item(TableName=self._table, Item=item)

    def _claim(self, name: str) -> bytes | None:
        answer = self._client.delete_item(TableName=self._table, Key={"id": name}, ReturnValues="ALL_OLD")
        item = answer.get("Attributes")
        # Even with its time to live on, DynamoDB may hand out an item for days after it.
        return cast(bytes, item["val"].value) if item and item["expiration"] > self._clock() else None
