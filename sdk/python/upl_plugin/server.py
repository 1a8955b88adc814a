"""Serves policies to the host that started this process (hashicorp/go-plugin, gRPC)."""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc
from cryptography.hazmat.primitives.serialization import Encoding

from . import _policies_pb2 as pb
from . import certificate, wire
from .abi import ABI_VERSION
from .policy import Plugin

_PROTOCOL = "1"  # of PLUGIN_PROTOCOL_VERSIONS; 1 is go-plugin's own, too
_LARGEST = 64 << 20  # bytes of a message
_THREADS = 64  # each run has one to itself, to its end
_SERVING = b"\x08\x01"  # grpc.health.v1.HealthCheckResponse{status: SERVING}


def serve(plugin: Plugin, handshake: int) -> None:
    """Writes the handshake to a file descriptor and serves until the host is done."""
    if _PROTOCOL not in os.environ.get("PLUGIN_PROTOCOL_VERSIONS", "").split(","):
        sys.exit(
            "error: this plugin speaks version 1 of the protocol, the host does not"
        )
    client = os.environ.get("PLUGIN_CLIENT_CERT", "")
    if not client:
        sys.exit("error: the host gave no certificate in PLUGIN_CLIENT_CERT")
    done = threading.Event()
    # In the very folder that the host made for it; another is refused.
    folder = Path(os.environ.get("PLUGIN_UNIX_SOCKET_DIR") or tempfile.gettempdir())
    socket = folder / f"plugin{os.getpid()}"
    threading.Thread(
        target=_watch_parent, args=(os.getppid(), done), daemon=True
    ).start()
    try:
        own = _start(plugin, socket, client.encode(), done)
        line = f"1|{_PROTOCOL}|unix|{socket}|grpc|{own}\n"
        os.write(handshake, line.encode())
        done.wait()
    finally:
        socket.unlink(missing_ok=True)
    sys.stdout.flush()
    # A policy that still computes has nobody to give its result to.
    os._exit(0)


def _start(plugin: Plugin, socket: Path, client: bytes, done: threading.Event) -> str:
    """Starts the server; gives its certificate as the handshake has it."""
    key, own = certificate.make()
    credentials = grpc.ssl_server_credentials(
        [(key, own.public_bytes(Encoding.PEM))],
        root_certificates=client,
        require_client_auth=True,
    )
    server = grpc.server(
        ThreadPoolExecutor(_THREADS, "upl"),
        options=[
            ("grpc.max_receive_message_length", _LARGEST),
            ("grpc.max_send_message_length", _LARGEST),
        ],
    )
    server.add_generic_rpc_handlers(_handlers(plugin, done))
    server.add_secure_port(f"unix:{socket}", credentials)
    server.start()
    _running.append(server)
    der = own.public_bytes(Encoding.DER)
    return base64.b64encode(der).decode().rstrip("=")


_running: list[grpc.Server] = []  # a server stops when it is collected


def _watch_parent(parent: int, done: threading.Event) -> None:
    """Ends the process with its host, however that ended."""
    while os.getppid() == parent and not done.wait(0.5):
        pass
    done.set()


def _handlers(
    plugin: Plugin, done: threading.Event
) -> tuple[grpc.GenericRpcHandler, ...]:
    """The services: ours, and those that go-plugin asks for, whose messages are
    empty or two bytes."""

    def describe(
        _: pb.DescribeRequest, __: grpc.ServicerContext
    ) -> pb.DescribeResponse:
        manifest = json.dumps(plugin.manifest()).encode()
        return pb.DescribeResponse(abi_version=ABI_VERSION, manifest=manifest)

    def run(
        inbox: Iterator[pb.HostMessage], _: grpc.ServicerContext
    ) -> Iterator[pb.PluginMessage]:
        # The policy has a thread of its own, for this one sends what it asks.
        outbox: wire.Outbox = SimpleQueue()
        arguments = plugin, inbox, outbox
        threading.Thread(target=wire.run, args=arguments, daemon=True).start()
        while (message := outbox.get()) is not None:
            yield message

    def check(_: bytes, __: grpc.ServicerContext) -> bytes:
        return _SERVING

    def shutdown(_: bytes, __: grpc.ServicerContext) -> bytes:
        # The answer goes first.
        threading.Timer(0.1, done.set).start()
        return b""

    unary = grpc.unary_unary_rpc_method_handler
    policies: dict[str, Any] = {
        "Describe": unary(
            describe,
            pb.DescribeRequest.FromString,
            pb.DescribeResponse.SerializeToString,
        ),
        "Run": grpc.stream_stream_rpc_method_handler(
            run, pb.HostMessage.FromString, pb.PluginMessage.SerializeToString
        ),
    }
    return tuple(
        grpc.method_handlers_generic_handler(service, methods)
        for service, methods in (
            ("upl.v1.Policies", policies),
            ("grpc.health.v1.Health", {"Check": unary(check)}),
            ("plugin.GRPCController", {"Shutdown": unary(shutdown)}),
        )
    )
