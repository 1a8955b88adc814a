"""A policy's run over a gRPC stream, the host at its other end."""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator
from queue import SimpleQueue

import grpc

from . import _policies_pb2 as pb
from .abi import Code, EmitKind, Level
from .errors import Error, reported
from .guest import Guest
from .policy import Plugin

_NOTHING = memoryview(bytearray())

Outbox = SimpleQueue[pb.PluginMessage | None]


class HostGoneError(BaseException):
    """The host ended the run. Not an Exception: no policy is to catch it."""


class RemoteHost:
    """The host of a run, asked over its stream."""

    def __init__(self, inbox: Iterator[pb.HostMessage], outbox: Outbox) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._memory = memoryview(b"")
        self._batch: dict[int, memoryview] = {}

    def begin(self, call: pb.Call) -> None:
        """Takes a call's batch."""
        if call.memory:
            with open(call.memory, "rb") as file:
                mapped = mmap.mmap(
                    file.fileno(), call.memory_size, access=mmap.ACCESS_READ
                )
            self._memory = memoryview(mapped)
        self._batch = {r.handle: self._memory[r.offset :][: r.size] for r in call.batch}

    def end(self) -> None:
        """Forgets the call's batch."""
        self._batch = {}

    def open_view(self, spec: bytes) -> int:
        return self._ask(pb.PluginMessage(open_view=pb.OpenView(spec=spec)))

    def read_view(self, handle: int, first: int, n: int, out: memoryview) -> int:
        question = pb.ReadView(handle=handle, first=first, n=n, cap=len(out))
        return self._ask(pb.PluginMessage(read_view=question), out)

    def batch_records(self, handle: int) -> memoryview:
        if handle not in self._batch:
            raise Error(Code.STATE, "it is read in observe and combine")
        return self._batch[handle]

    def emit(self, kind: EmitKind, records: bytes) -> None:
        self._ask(pb.PluginMessage(emit=pb.Emit(kind=kind, records=records)))

    def log(self, level: Level, message: str) -> None:
        self._outbox.put(pb.PluginMessage(log=pb.Log(level=level, message=message)))

    def metric(self, name: str, value: float) -> None:
        self._ask(pb.PluginMessage(metric=pb.Metric(name=name, value=value)))

    def random(self, size: int) -> bytes:
        out = bytearray(size)
        self._ask(pb.PluginMessage(random=pb.Random(size=size)), memoryview(out))
        return bytes(out)

    def _ask(self, question: pb.PluginMessage, out: memoryview = _NOTHING) -> int:
        """Puts a question; what data the replies have goes into out."""
        self._outbox.put(question)
        at = 0
        while True:
            message = _next(self._inbox)
            if message is None or message.WhichOneof("message") != "reply":
                raise HostGoneError
            reply = message.reply
            if reply.result < 0:
                raise _refusal(reply)
            out[at : at + len(reply.data)] = reply.data
            at += len(reply.data)
            if not reply.more:
                return reply.result


def _refusal(reply: pb.Reply) -> Error:
    try:
        return Error(Code(reply.result), reply.error)
    except ValueError:  # a code of a later version of the contract
        return Error(Code.INTERNAL, reply.error or f"error {reply.result}")


def _next(inbox: Iterator[pb.HostMessage]) -> pb.HostMessage | None:
    """The host's next message; None where it has ended the run."""
    try:
        return next(inbox, None)
    except grpc.RpcError:
        return None


def run(plugin: Plugin, inbox: Iterator[pb.HostMessage], outbox: Outbox) -> None:
    """Serves one run, to the end of the host's stream; None ends the outbox."""
    try:
        message = _next(inbox)
        if message is None:
            return
        host = RemoteHost(inbox, outbox)
        config, dataset = message.start.config, message.start.dataset
        name = json.loads(config)["policy"]
        guest = Guest(lambda: plugin.make(name), host, config, dataset)
        while (message := _next(inbox)) is not None:
            host.begin(message.call)
            outbox.put(pb.PluginMessage(returned=_call(guest, message.call)))
            host.end()
    except HostGoneError:
        pass
    finally:
        outbox.put(None)


def _call(guest: Guest, call: pb.Call) -> pb.Return:
    """Makes a call of the host's; an exception of the policy is its result."""
    try:
        return pb.Return(result=_result(guest, call))
    except HostGoneError:
        raise
    except BaseException as error:  # SystemExit, too, is the policy's
        code, message = reported(error)
        return pb.Return(result=code, message=message)


def _result(guest: Guest, call: pb.Call) -> int:
    match call.function:
        case pb.CONFIGURE:
            guest.configure()
        case pb.BEGIN_ROUND:
            return 0 if guest.begin_round(call.round) else 1
        case pb.OBSERVE:
            guest.observe(call.first, call.rows)
        case pb.END_ROUND:
            return int(guest.end_round())
        case pb.COMBINE:
            guest.combine(call.first, call.rows)
    return 0
