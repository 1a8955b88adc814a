"""The host of a plugin that is a process: go-plugin's side of the protocol."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc
import numpy as np
from cryptography.hazmat.primitives.serialization import Encoding

from upl_plugin import _policies_pb2 as pb
from upl_plugin import certificate
from upl_plugin.abi import Code, EmitKind
from upl_plugin.errors import Error
from upl_plugin.testing import Session

_PIECE = 1 << 20


class Process:
    """A plugin's process, started as a host starts it, and a channel to it."""

    def __init__(self, entry: Path, env: Mapping[str, str] | None = None) -> None:
        self.sockets = tempfile.TemporaryDirectory()
        self._key, self._certificate = certificate.make()
        self.pem = self._certificate.public_bytes(Encoding.PEM)
        self.popen = subprocess.Popen(
            [sys.executable, entry],
            env=self._environment() if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.handshake = self.popen.stdout.readline().decode().rstrip("\n").split("|")

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "UPL_HOST_PLUGIN": "upl-v1",
            "PLUGIN_PROTOCOL_VERSIONS": "1",
            "PLUGIN_UNIX_SOCKET_DIR": self.sockets.name,
            "PLUGIN_CLIENT_CERT": self.pem.decode(),
        }

    def channel(
        self, key: bytes | None = None, own: bytes | None = None
    ) -> grpc.Channel:
        """A channel by the host's certificate, or by another."""
        der = self.handshake[5]
        server = base64.b64decode(der + "=" * (-len(der) % 4))
        credentials = grpc.ssl_channel_credentials(
            ssl.DER_cert_to_PEM_cert(server).encode(), key or self._key, own or self.pem
        )
        options = [
            ("grpc.ssl_target_name_override", "localhost"),
            ("grpc.max_receive_message_length", 64 << 20),
        ]
        return grpc.secure_channel(f"unix:{self.handshake[3]}", credentials, options)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.popen.kill()
        self.popen.wait()
        self.popen.stdout.close()
        self.popen.stderr.close()
        self.sockets.cleanup()


def describe(channel: grpc.Channel) -> pb.DescribeResponse:
    return channel.unary_unary(
        "/upl.v1.Policies/Describe",
        pb.DescribeRequest.SerializeToString,
        pb.DescribeResponse.FromString,
    )(pb.DescribeRequest(), timeout=60)


class RemoteGuest:
    """A policy in a process: a session calls it as it calls one of its own."""

    def __init__(self, channel: grpc.Channel, session: Session) -> None:
        self._session = session
        self.outbox: SimpleQueue[pb.HostMessage | None] = SimpleQueue()
        self._memory = _Memory()
        self.emits: list[int] = []  # bytes of each emit
        self.stream = channel.stream_stream(
            "/upl.v1.Policies/Run",
            pb.HostMessage.SerializeToString,
            pb.PluginMessage.FromString,
        )(iter(self.outbox.get, None), timeout=120)
        start = pb.Start(config=session.config(), dataset=session.dataset())
        self.outbox.put(pb.HostMessage(start=start))

    def __enter__(self) -> RemoteGuest:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Ends the run: at once after an error."""
        if kind:
            self.stream.cancel()
        else:
            self.outbox.put(None)
            assert list(self.stream) == []
        self._memory.close()

    def configure(self) -> None:
        self._call(pb.Call(function=pb.CONFIGURE))

    def begin_round(self, number: int) -> bool:
        return self._call(pb.Call(function=pb.BEGIN_ROUND, round=number)) == 0

    def observe(self, first: int, rows: int) -> None:
        self._show(pb.Call(function=pb.OBSERVE, first=first, rows=rows))

    def end_round(self) -> bool:
        return (
            self._call(pb.Call(function=pb.END_ROUND, round=self._session.round)) == 1
        )

    def combine(self, first: int, rows: int) -> None:
        self._show(pb.Call(function=pb.COMBINE, first=first, rows=rows))

    def _show(self, call: pb.Call) -> None:
        self._memory.put(call, self._session.batches())
        self._call(call)

    def _call(self, call: pb.Call) -> int:
        self.outbox.put(pb.HostMessage(call=call))
        for message in self.stream:
            if message.WhichOneof("message") == "returned":
                returned = message.returned
                if returned.result < 0:
                    raise Error(Code(returned.result), returned.message)
                return returned.result
            self._answer(message)
        raise AssertionError("the plugin ended the run")

    def _answer(self, message: pb.PluginMessage) -> None:
        result, data = 0, b""
        try:
            match message.WhichOneof("message"):
                case "log":
                    self._session.log(message.log.level, message.log.message)
                    return
                case "open_view":
                    result = self._session.open_view(message.open_view.spec)
                case "read_view":
                    ask = message.read_view
                    out = bytearray(ask.cap)
                    result = self._session.read_view(
                        ask.handle, ask.first, ask.n, memoryview(out)
                    )
                    data = bytes(out[:result]) if result <= ask.cap else b""
                case "emit":
                    self.emits.append(len(message.emit.records))
                    self._session.emit(
                        EmitKind(message.emit.kind), message.emit.records
                    )
                case "metric":
                    self._session.metric(message.metric.name, message.metric.value)
                case "random":
                    data = self._session.random(message.random.size)
        except Error as error:
            reply = pb.Reply(result=error.code, error=error.message)
            self.outbox.put(pb.HostMessage(reply=reply))
            return
        for at in range(0, max(len(data), 1), _PIECE):
            more = at + _PIECE < len(data)
            reply = pb.Reply(result=result, data=data[at : at + _PIECE], more=more)
            self.outbox.put(pb.HostMessage(reply=reply))


class _Memory:
    """The file that batches are shared in, a larger one where one does not fit."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._path = ""
        self._map: Any = np.empty(0, np.uint8)

    def put(self, call: pb.Call, batches: Mapping[int, np.ndarray]) -> None:
        at = 0
        for handle, records in batches.items():
            call.batch.add(handle=handle, offset=at, size=records.nbytes)
            at += -(-records.nbytes // 64) * 64
        if at > len(self._map):
            self._path = os.path.join(self._folder.name, f"batches-{at}")
            self._map = np.memmap(self._path, np.uint8, "w+", shape=at)
            call.memory, call.memory_size = self._path, at
        for place, records in zip(call.batch, batches.values()):
            encoded = np.ascontiguousarray(records).reshape(-1).view(np.uint8)
            self._map[place.offset : place.offset + place.size] = encoded

    def close(self) -> None:
        self._map = None
        self._folder.cleanup()
