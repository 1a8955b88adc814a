from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Function(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONFIGURE: _ClassVar[Function]
    BEGIN_ROUND: _ClassVar[Function]
    OBSERVE: _ClassVar[Function]
    END_ROUND: _ClassVar[Function]
    COMBINE: _ClassVar[Function]
CONFIGURE: Function
BEGIN_ROUND: Function
OBSERVE: Function
END_ROUND: Function
COMBINE: Function

class DescribeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribeResponse(_message.Message):
    __slots__ = ("abi_version", "manifest", "fault")
    ABI_VERSION_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    abi_version: int
    manifest: bytes
    fault: Fault
    def __init__(self, abi_version: _Optional[int] = ..., manifest: _Optional[bytes] = ..., fault: _Optional[_Union[Fault, _Mapping]] = ...) -> None: ...

class HostMessage(_message.Message):
    __slots__ = ("start", "call", "reply")
    START_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    start: Start
    call: Call
    reply: Reply
    def __init__(self, start: _Optional[_Union[Start, _Mapping]] = ..., call: _Optional[_Union[Call, _Mapping]] = ..., reply: _Optional[_Union[Reply, _Mapping]] = ...) -> None: ...

class Start(_message.Message):
    __slots__ = ("config", "dataset", "memory_limit")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    MEMORY_LIMIT_FIELD_NUMBER: _ClassVar[int]
    config: bytes
    dataset: bytes
    memory_limit: int
    def __init__(self, config: _Optional[bytes] = ..., dataset: _Optional[bytes] = ..., memory_limit: _Optional[int] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("function", "round", "first", "rows", "memory", "memory_size", "batch")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    MEMORY_SIZE_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    function: Function
    round: int
    first: int
    rows: int
    memory: str
    memory_size: int
    batch: _containers.RepeatedCompositeFieldContainer[Records]
    def __init__(self, function: _Optional[_Union[Function, str]] = ..., round: _Optional[int] = ..., first: _Optional[int] = ..., rows: _Optional[int] = ..., memory: _Optional[str] = ..., memory_size: _Optional[int] = ..., batch: _Optional[_Iterable[_Union[Records, _Mapping]]] = ...) -> None: ...

class Records(_message.Message):
    __slots__ = ("handle", "offset", "size")
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    handle: int
    offset: int
    size: int
    def __init__(self, handle: _Optional[int] = ..., offset: _Optional[int] = ..., size: _Optional[int] = ...) -> None: ...

class Reply(_message.Message):
    __slots__ = ("result", "error", "data", "more")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    result: int
    error: str
    data: bytes
    more: bool
    def __init__(self, result: _Optional[int] = ..., error: _Optional[str] = ..., data: _Optional[bytes] = ..., more: bool = ...) -> None: ...

class PluginMessage(_message.Message):
    __slots__ = ("returned", "open_view", "read_view", "emit", "log", "metric", "random")
    RETURNED_FIELD_NUMBER: _ClassVar[int]
    OPEN_VIEW_FIELD_NUMBER: _ClassVar[int]
    READ_VIEW_FIELD_NUMBER: _ClassVar[int]
    EMIT_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    RANDOM_FIELD_NUMBER: _ClassVar[int]
    returned: Return
    open_view: OpenView
    read_view: ReadView
    emit: Emit
    log: Log
    metric: Metric
    random: Random
    def __init__(self, returned: _Optional[_Union[Return, _Mapping]] = ..., open_view: _Optional[_Union[OpenView, _Mapping]] = ..., read_view: _Optional[_Union[ReadView, _Mapping]] = ..., emit: _Optional[_Union[Emit, _Mapping]] = ..., log: _Optional[_Union[Log, _Mapping]] = ..., metric: _Optional[_Union[Metric, _Mapping]] = ..., random: _Optional[_Union[Random, _Mapping]] = ...) -> None: ...

class Return(_message.Message):
    __slots__ = ("result", "message", "fault")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    result: int
    message: str
    fault: Fault
    def __init__(self, result: _Optional[int] = ..., message: _Optional[str] = ..., fault: _Optional[_Union[Fault, _Mapping]] = ...) -> None: ...

class Fault(_message.Message):
    __slots__ = ("kind", "call", "reason", "limit", "stack", "output")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        TRAP: _ClassVar[Fault.Kind]
        LIMIT: _ClassVar[Fault.Kind]
        PROTOCOL: _ClassVar[Fault.Kind]
    TRAP: Fault.Kind
    LIMIT: Fault.Kind
    PROTOCOL: Fault.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    STACK_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    kind: Fault.Kind
    call: str
    reason: str
    limit: str
    stack: str
    output: str
    def __init__(self, kind: _Optional[_Union[Fault.Kind, str]] = ..., call: _Optional[str] = ..., reason: _Optional[str] = ..., limit: _Optional[str] = ..., stack: _Optional[str] = ..., output: _Optional[str] = ...) -> None: ...

class OpenView(_message.Message):
    __slots__ = ("spec",)
    SPEC_FIELD_NUMBER: _ClassVar[int]
    spec: bytes
    def __init__(self, spec: _Optional[bytes] = ...) -> None: ...

class ReadView(_message.Message):
    __slots__ = ("handle", "first", "n", "cap")
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    CAP_FIELD_NUMBER: _ClassVar[int]
    handle: int
    first: int
    n: int
    cap: int
    def __init__(self, handle: _Optional[int] = ..., first: _Optional[int] = ..., n: _Optional[int] = ..., cap: _Optional[int] = ...) -> None: ...

class Emit(_message.Message):
    __slots__ = ("kind", "records")
    KIND_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    kind: int
    records: bytes
    def __init__(self, kind: _Optional[int] = ..., records: _Optional[bytes] = ...) -> None: ...

class Log(_message.Message):
    __slots__ = ("level", "message")
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    level: int
    message: str
    def __init__(self, level: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class Metric(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...

class Random(_message.Message):
    __slots__ = ("size",)
    SIZE_FIELD_NUMBER: _ClassVar[int]
    size: int
    def __init__(self, size: _Optional[int] = ...) -> None: ...
