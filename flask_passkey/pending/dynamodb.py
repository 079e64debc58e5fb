"""Amazon DynamoDB."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any, cast

from ..logs import summary
from . import internals
from .base import Adapter

log = logging.getLogger(__name__)


class DynamoDBStore(Adapter):
    """One item a ceremony in Flask-Session's table. Threads may share the client used here, but not the resource.

    DynamoDB removes expired items if its time to live is switched on. Flask-Session tries to switch it on, and
    fails.
    """

    setting = 'SESSION_TYPE = "dynamodb"'
    client_setting = "SESSION_DYNAMODB"
    advice = 'SESSION_DYNAMODB = boto3.resource("dynamodb")'

    def __init__(self, interface: Any, clock: Callable[[], float]) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        super().__init__(interface, clock)
        self.errors = (BotoCoreError, ClientError)
        self._client, self._table = internals.dynamodb_of(interface)
        self._warn_without_time_to_live()

    def _warn_without_time_to_live(self) -> None:
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
        # DynamoDB may return an item for days after its time to live is over.
        return cast(bytes, item["val"].value) if item and item["expiration"] > self._clock() else None
