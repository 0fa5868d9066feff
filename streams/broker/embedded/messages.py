"""The requests that the broker answers: their versions and fields, as far as current clients use them."""

from streams.broker.embedded.wire import parse


class Api:
    """One kind of request and its response; versions from `flexible` on are flexible."""

    def __init__(self, key: int, versions: str, request: str, response: str, flexible: int = 99) -> None:
        self.key = key
        self.oldest, self.newest = map(int, versions.split("-"))
        self.request, self.response = parse(request), parse(response)
        self.flexible = flexible


_PRODUCER = "transactional_id:str producer_id:i64 epoch:i16"
_MEMBER = "group_id:str generation:i32 member_id:str"
_RESULTS = "throttle:i32@3 topics[name:str partitions[index:i32 error:i16]]"
_ERROR = "throttle:i32 error:i16"
APIS = {
    "Produce": Api(0, "3-7",
        "transactional_id:str acks:i16 timeout:i32 topics[name:str partitions[index:i32 records:bytes]]",
        "topics[name:str partitions[index:i32 error:i16 base_offset:i64=-1 log_append_time:i64=-1"
        " log_start:i64@5=-1]] throttle:i32"),
    "Fetch": Api(1, "4-10",
        "replica:i32 max_wait:i32 min_bytes:i32 max_bytes:i32 isolation:i8 session:i32@7"
        " session_epoch:i32@7 topics[name:str partitions[index:i32 leader_epoch:i32@9 offset:i64"
        " log_start:i64@5 max_bytes:i32]] forgotten@7[name:str partitions:ints]",
        "throttle:i32 error:i16@7 session:i32@7 topics[name:str partitions[index:i32 error:i16"
        " high_watermark:i64=-1 last_stable:i64=-1 log_start:i64@5=-1"
        " aborted[producer_id:i64 first:i64] records:bytes='']]"),
    "ListOffsets": Api(2, "1-2",
        "replica:i32 isolation:i8@2 topics[name:str partitions[index:i32 timestamp:i64]]",
        "throttle:i32@2 topics[name:str partitions[index:i32 error:i16 timestamp:i64=-1 offset:i64=-1]]"),
    "Metadata": Api(3, "1-4",
        "topics[name:str] create:bool@4",
        "throttle:i32@3 brokers[node:i32 host:str port:i32 rack:str] cluster:str@2 controller:i32"
        " topics[error:i16 name:str internal:bool"
        " partitions[error:i16 index:i32 leader:i32 replicas:ints in_sync:ints]]"),
    "OffsetCommit": Api(8, "2-7",
        f"{_MEMBER} retention:i64@2-4 instance_id:str@7"
        " topics[name:str partitions[index:i32 offset:i64 leader_epoch:i32@6 metadata:str]]",
        _RESULTS),
    "OffsetFetch": Api(9, "1-7",
        "group_id:str topics[name:str partitions:ints] require_stable:bool@7",
        "throttle:i32@3 topics[name:str partitions[index:i32 offset:i64=-1 leader_epoch:i32@5=-1"
        " metadata:str='' error:i16]] error:i16@2", flexible=6),
    "FindCoordinator": Api(10, "0-1",
        "key:str kind:i8@1", "throttle:i32@1 error:i16 text:str@1 node:i32 host:str port:i32"),
    "JoinGroup": Api(11, "2-5",
        "group_id:str session_timeout:i32 rebalance_timeout:i32 member_id:str instance_id:str@5"
        " protocol_type:str protocols[name:str metadata:bytes]",
        f"{_ERROR} generation:i32=-1 protocol:str='' leader:str='' member_id:str=''"
        " members[member_id:str instance_id:str@5 metadata:bytes]"),
    "Heartbeat": Api(12, "1-3", f"{_MEMBER} instance_id:str@3", _ERROR),
    "LeaveGroup": Api(13, "1-1", "group_id:str member_id:str", _ERROR),
    "SyncGroup": Api(14, "1-3",
        f"{_MEMBER} instance_id:str@3 assignments[member_id:str assignment:bytes]",
        f"{_ERROR} assignment:bytes=''"),
    "DescribeGroups": Api(15, "0-4",
        "groups[group_id:str] operations:bool@3",
        "throttle:i32@1 groups[error:i16 group_id:str state:str='' protocol_type:str='' protocol:str=''"
        " members[member_id:str instance_id:str@4 client_id:str='' client_host:str='' metadata:bytes=''"
        " assignment:bytes=''] operations:i32@3=-2147483648]"),
    "ApiVersions": Api(18, "0-3",
        "software:str@3 software_version:str@3",
        "error:i16 apis[key:i16 oldest:i16 newest:i16] throttle:i32@1", flexible=3),
    "CreateTopics": Api(19, "2-4",
        "topics[name:str count:i32 replicas:i16 assignments[index:i32 brokers:ints]"
        " configs[name:str value:str]] timeout:i32 validate_only:bool",
        "throttle:i32 topics[name:str error:i16 text:str]"),
    "DeleteTopics": Api(20, "1-3",
        "topics[name:str] timeout:i32", "throttle:i32 topics[name:str error:i16]"),
    "InitProducerId": Api(22, "0-4",
        "transactional_id:str timeout:i32 producer_id:i64@3=-1 epoch:i16@3=-1",
        f"{_ERROR} producer_id:i64=-1 epoch:i16=-1", flexible=2),
    "AddPartitionsToTxn": Api(24, "0-1",
        f"{_PRODUCER} topics[name:str partitions[index:i32]]", _RESULTS.replace("@3", "")),
    "AddOffsetsToTxn": Api(25, "0-1", f"{_PRODUCER} group_id:str", _ERROR),
    "EndTxn": Api(26, "0-1", f"{_PRODUCER} commit:bool", _ERROR),
    "TxnOffsetCommit": Api(28, "0-3",
        "transactional_id:str group_id:str producer_id:i64 epoch:i16 generation:i32@3=-1"
        " member_id:str@3='' instance_id:str@3"
        " topics[name:str partitions[index:i32 offset:i64 leader_epoch:i32@2 metadata:str]]",
        _RESULTS.replace("@3", ""), flexible=3),
}  # fmt: skip
