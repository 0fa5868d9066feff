"""The requests that the broker answers: their versions, their fields, and its error codes."""

from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache

from streams.broker.embedded.wire import Codec, MalformedError, parse


class ErrorCode(IntEnum):
    """Kafka's error codes, as far as this broker gives them."""

    NONE = 0
    OFFSET_OUT_OF_RANGE = 1
    UNKNOWN_TOPIC_OR_PARTITION = 3
    MSG_SIZE_TOO_LARGE = 10
    INVALID_TOPIC = 17
    ILLEGAL_GENERATION = 22
    INCONSISTENT_GROUP_PROTOCOL = 23
    UNKNOWN_MEMBER_ID = 25
    REBALANCE_IN_PROGRESS = 27
    UNSUPPORTED_VERSION = 35
    TOPIC_ALREADY_EXISTS = 36
    INVALID_PARTITIONS = 37
    INVALID_REPLICATION_FACTOR = 38
    INVALID_CONFIG = 40
    INVALID_REQUEST = 42
    OUT_OF_ORDER_SEQUENCE = 45
    INVALID_PRODUCER_EPOCH = 47
    INVALID_TXN_STATE = 48
    INVALID_PRODUCER_ID_MAPPING = 49
    INVALID_TRANSACTION_TIMEOUT = 50
    NON_EMPTY_GROUP = 68
    GROUP_ID_NOT_FOUND = 69
    FENCED_INSTANCE_ID = 82
    INVALID_RECORD = 87
    UNSTABLE_OFFSET_COMMIT = 88
    PRODUCER_FENCED = 90


class RefusedError(Exception):
    """A request, or one item of it, that is answered with an error code."""

    def __init__(self, code: ErrorCode, text: str | None = None) -> None:
        super().__init__(text or code.name)
        self.code = code
        self.text = text


@dataclass(frozen=True)
class Api:
    """One kind of request; versions from `flexible` on have compact fields and tags."""

    key: int
    oldest: int
    newest: int
    flexible: int
    request: str = field(repr=False)
    response: str = field(repr=False)

    @cache  # noqa: B019 - these are module constants
    def codecs(self, version: int) -> tuple[Codec, Codec]:
        """Return how to read the request and to write the response; raises MalformedError."""
        if not self.oldest <= version <= self.newest:
            raise MalformedError(f"version {version} of request {self.key} is not supported")
        flexible = version >= self.flexible
        request, response = parse(self.request), parse(self.response)
        return Codec(request, version, flexible), Codec(response, version, flexible)


NEVER = 99
_PRODUCER = "producer_id:i64 epoch:i16"
_MEMBER = "generation:i32@1=-1 member_id:str@1='' instance_id:str"
_RESULTS = "topics[name:str partitions[index:i32 error:i16]]"
APIS = {
    "Produce": Api(0, 3, 8, NEVER,
        "transactional_id:str acks:i16 timeout:i32 topics[name:str partitions[index:i32 records:bytes]]",
        "topics[name:str partitions[index:i32 error:i16 base_offset:i64=-1 log_append_time:i64=-1"
        " log_start:i64@5=-1 record_errors@8[index:i32 text:str] text:str@8]] throttle:i32"),
    "Fetch": Api(1, 4, 11, NEVER,
        "replica:i32 max_wait:i32 min_bytes:i32 max_bytes:i32 isolation:i8 session:i32@7"
        " session_epoch:i32@7 topics[name:str partitions[index:i32 leader_epoch:i32@9 offset:i64"
        " log_start:i64@5 max_bytes:i32]] forgotten@7[name:str partitions:i32*] rack:str@11",
        "throttle:i32 error:i16@7 session:i32@7 topics[name:str partitions[index:i32 error:i16"
        " high_watermark:i64=-1 last_stable:i64=-1 log_start:i64@5=-1"
        " aborted[producer_id:i64 first:i64] replica:i32@11=-1 records:bytes='']]"),
    "ListOffsets": Api(2, 1, 5, NEVER,
        "replica:i32 isolation:i8@2"
        " topics[name:str partitions[index:i32 leader_epoch:i32@4 timestamp:i64]]",
        "throttle:i32@2 topics[name:str partitions[index:i32 error:i16 timestamp:i64=-1"
        " offset:i64=-1 leader_epoch:i32@4=-1]]"),
    "Metadata": Api(3, 1, 8, NEVER,
        "topics:str* create:bool@4=1 cluster_rights:bool@8 topic_rights:bool@8",
        "throttle:i32@3 brokers[node:i32 host:str port:i32 rack:str] cluster:str@2 controller:i32"
        " topics[error:i16 name:str internal:bool partitions[error:i16 index:i32 leader:i32"
        " leader_epoch:i32@7=-1 replicas:i32* in_sync:i32* offline:i32*@5] rights:i32@8=-2147483648]"
        " rights:i32@8=-2147483648"),
    "OffsetCommit": Api(8, 2, 7, NEVER,
        f"group_id:str {_MEMBER}@7 retention:i64@2-4 topics[name:str partitions[index:i32 offset:i64"
        " leader_epoch:i32@6 metadata:str]]",
        f"throttle:i32@3 {_RESULTS}"),
    "OffsetFetch": Api(9, 1, 7, 6,
        "group_id:str topics[name:str partitions:i32*] require_stable:bool@7",
        "throttle:i32@3 topics[name:str partitions[index:i32 offset:i64=-1 leader_epoch:i32@5=-1"
        " metadata:str='' error:i16]] error:i16@2"),
    "FindCoordinator": Api(10, 0, 2, NEVER,
        "key:str kind:i8@1",
        "throttle:i32@1 error:i16 text:str@1 node:i32 host:str port:i32"),
    "JoinGroup": Api(11, 0, 5, NEVER,
        "group_id:str session_timeout:i32 rebalance_timeout:i32@1=60000 member_id:str instance_id:str@5"
        " protocol_type:str protocols[name:str metadata:bytes]",
        "throttle:i32@2 error:i16 generation:i32=-1 protocol:str='' leader:str='' member_id:str=''"
        " members[member_id:str instance_id:str@5 metadata:bytes]"),
    "Heartbeat": Api(12, 0, 3, NEVER,
        "group_id:str generation:i32 member_id:str instance_id:str@3", "throttle:i32@1 error:i16"),
    "LeaveGroup": Api(13, 0, 3, NEVER,
        "group_id:str member_id:str@0-2 members@3[member_id:str instance_id:str]",
        "throttle:i32@1 error:i16 members@3[member_id:str instance_id:str error:i16]"),
    "SyncGroup": Api(14, 0, 3, NEVER,
        "group_id:str generation:i32 member_id:str instance_id:str@3"
        " assignments[member_id:str assignment:bytes]",
        "throttle:i32@1 error:i16 assignment:bytes=''"),
    "DescribeGroups": Api(15, 0, 4, NEVER,
        "groups:str* rights:bool@3",
        "throttle:i32@1 groups[error:i16 group_id:str state:str protocol_type:str='' protocol:str=''"
        " members[member_id:str instance_id:str@4 client_id:str client_host:str metadata:bytes"
        " assignment:bytes] rights:i32@3=-2147483648]"),
    "ListGroups": Api(16, 0, 4, 3,
        "states:str*@4",
        "throttle:i32@1 error:i16 groups[group_id:str protocol_type:str state:str@4]"),
    "ApiVersions": Api(18, 0, 3, 3,
        "software:str@3 software_version:str@3",
        "error:i16 apis[key:i16 oldest:i16 newest:i16] throttle:i32@1"),
    "CreateTopics": Api(19, 0, 4, NEVER,
        "topics[name:str count:i32 replicas:i16 assignments[index:i32 brokers:i32*]"
        " configs[name:str value:str]] timeout:i32 validate_only:bool@1",
        "throttle:i32@2 topics[name:str error:i16 text:str@1]"),
    "DeleteTopics": Api(20, 0, 3, NEVER,
        "topics:str* timeout:i32", "throttle:i32@1 topics[name:str error:i16]"),
    "DeleteRecords": Api(21, 0, 1, NEVER,
        "topics[name:str partitions[index:i32 offset:i64]] timeout:i32",
        "throttle:i32 topics[name:str partitions[index:i32 low_watermark:i64=-1 error:i16]]"),
    "InitProducerId": Api(22, 0, 4, 2,
        "transactional_id:str timeout:i32 producer_id:i64@3=-1 epoch:i16@3=-1",
        "throttle:i32 error:i16 producer_id:i64=-1 epoch:i16=-1"),
    "AddPartitionsToTxn": Api(24, 0, 1, NEVER,
        f"transactional_id:str {_PRODUCER} topics[name:str partitions:i32*]",
        f"throttle:i32 {_RESULTS}"),
    "AddOffsetsToTxn": Api(25, 0, 1, NEVER,
        f"transactional_id:str {_PRODUCER} group_id:str", "throttle:i32 error:i16"),
    "EndTxn": Api(26, 0, 1, NEVER,
        f"transactional_id:str {_PRODUCER} commit:bool", "throttle:i32 error:i16"),
    "TxnOffsetCommit": Api(28, 0, 3, 3,
        f"transactional_id:str group_id:str {_PRODUCER} generation:i32@3=-1 member_id:str@3=''"
        " instance_id:str@3 topics[name:str partitions[index:i32 offset:i64 leader_epoch:i32@2"
        " metadata:str]]",
        f"throttle:i32 {_RESULTS}"),
    "DescribeConfigs": Api(32, 1, 2, NEVER,
        "resources[kind:i8 name:str keys:str*] synonyms:bool@1",
        "throttle:i32 resources[error:i16 text:str kind:i8 name:str configs[name:str value:str"
        " read_only:bool source:i8 sensitive:bool"
        " synonyms[name:str value:str source:i8]]]"),
    "CreatePartitions": Api(37, 0, 1, NEVER,
        "topics[name:str count:i32 assignments[brokers:i32*]] timeout:i32 validate_only:bool",
        "throttle:i32 topics[name:str error:i16 text:str]"),
    "DeleteGroups": Api(42, 0, 1, NEVER,
        "groups:str*", "throttle:i32 groups[group_id:str error:i16]"),
    "IncrementalAlterConfigs": Api(44, 0, 1, 1,
        "resources[kind:i8 name:str configs[name:str op:i8 value:str]] validate_only:bool",
        "throttle:i32 resources[error:i16 text:str kind:i8 name:str]"),
}  # fmt: skip
