"""A device's end of Flower's Fleet API: the one module of a device that knows Flower's internals (flwr 1.41).

What a device is given is an `Assignment`; what it sends back is a `Reply`. Between them, a message travels as the bytes
of Flower's protobuf `Message`, content and all, so that the trainer's process needs nothing of this module.

Rules:
1. Nothing is retried here and nothing is swallowed; `_explained` says what each failure means. Flower's own connection
   would send this process a SIGINT when it is refused, and end its loop without a word when anything is raised.
2. No program comes over this link: what a run brings along is neither fetched nor installed.
3. Requests are signed with the server's time. A device's clock may be wrong; the `Date` of whatever the server answers
   corrects it, that of a refusal too. Replies carry the server's time as well, or the server would take them for stale.
4. A reply is made once, and may be pushed again and again: its id is that of its content, and the server knows it.

Source: flwr/proto/fleet.proto; flwr/supernode/fleet_http_connection.py, whose place this takes
(docs/decisions/0019-device-runtime.md). A node that is online cannot be activated, but its heartbeat is welcome; so a
device that was killed goes on with the node that it has.
"""

from __future__ import annotations

import os
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

# Before Flower is imported: it tells nobody that it runs.
os.environ |= {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from flwr.app import Error, Message, RecordDict
from flwr.app.message import make_message, remove_content_from_message
from flwr.common.constant import TIMESTAMP_HEADER, ErrorCode
from flwr.common.serde import message_from_proto, message_to_proto, recorddict_to_proto
from flwr.common.serde_utils import metadata_from_proto
from flwr.proto.fleet_pb2 import (
    ActivateNodeRequest,
    DeactivateNodeRequest,
    PullMessagesRequest,
    PushMessagesRequest,
)
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.message_pb2 import ConfirmMessageReceivedRequest, Metadata, ObjectTree
from flwr.proto.message_pb2 import Message as ProtoMessage
from flwr.proto.node_pb2 import Node
from flwr.proto.run_pb2 import GetRunRequest
from flwr.supercore.constant import FLEET_HTTP_PUBLIC_KEY_HEADER, FLEET_HTTP_SIGNATURE_HEADER
from flwr.supercore.inflatable.inflatable_object import (
    get_all_nested_objects,
    get_object_tree,
    iterate_object_tree,
    no_object_id_recompute,
)
from flwr.supercore.inflatable.inflatable_protobuf_utils import (
    make_pull_object_fn_protobuf,
    make_push_object_fn_protobuf,
)
from flwr.supercore.inflatable.inflatable_utils import (
    ObjectPullError,
    ObjectPushError,
    inflate_object_from_contents,
    pull_objects,
    push_object_contents_from_iterable,
)
from flwr.supercore.primitives.asymmetric import sign_message
from flwr.supercore.protobuf.client import ProtobufCall, ProtobufRequestContext
from flwr.supercore.runtime_version_compatibility import RuntimeVersionMetadata
from flwr.supernode.fleet_http_client import FleetHttpClient

from handfed.clients.device import keys
from handfed.clients.device.fleet_errors import (
    LinkError,
    NotActivatedError,
    RunOverError,
    UnreadableError,
    UnwelcomeError,
)
from handfed.clients.device.server_clock import ServerClock
from handfed.clients.device.server_link import ServerLink
from handfed.shared.address import Address
from handfed.shared.errors import EnrolmentError, HandfedError
from handfed.shared.tls import trusting

HEARTBEAT_S: Final = 30  # that the server is told; it gives up on a node that is silent for two of them

_TIMEOUT_S: Final = 30.0  # a request for messages may be held for 20
_FIRST_WAIT_S: Final = 0.05  # for an object that the server does not have yet
_LONGEST_WAIT_S: Final = 1.0
_PUSHES: Final = 3


@dataclass(frozen=True)
class Assignment:
    """A message that waits for an answer; its content is still to be fetched.

    Attributes:
        metadata: Flower's, encoded: ids, the kind of message, and until when it is answered.
        tree: The ids of its objects; empty where only its end can be answered.
    """

    metadata: bytes
    tree: ObjectTree = field(default_factory=ObjectTree)

    @property
    def run(self) -> int:
        """The run's id, as Flower has it."""
        return self._decoded.run_id

    @property
    def message(self) -> str:
        """The message's id."""
        return self._decoded.message_id

    @property
    def kind(self) -> str:
        """What is asked for, as `handfed.shared.wire` names it."""
        return self._decoded.message_type

    @property
    def is_training(self) -> bool:
        """Whether training is asked for."""
        return self.kind.partition(".")[0] == "train"

    @property
    def expires_at(self) -> float:
        """When nobody waits for the answer any more, seconds since 1970 by the server's clock."""
        return self._decoded.created_at + self._decoded.ttl

    @property
    def _decoded(self) -> Metadata:
        metadata: Metadata = Metadata.FromString(self.metadata)
        return metadata


@dataclass(frozen=True)
class Reply:
    """An answer, taken apart into objects.

    Attributes:
        header: The message without its content.
        tree: The ids of its objects.
        objects: Their bytes by id.
        seconds: How long it took.
        error: What went wrong on the device; None where nothing did.
    """

    header: ProtoMessage
    tree: ObjectTree
    objects: dict[str, bytes]
    seconds: float
    error: str | None


class Signature:
    """Signs each request with the device's key and the server's time, as Flower's interceptors do.

    Args:
        key: The device's private key.
        public_key: The public one, PEM.
        clock: The server's clock; set by what comes back.
    """

    def __init__(self, key: ec.EllipticCurvePrivateKey, public_key: bytes, clock: ServerClock) -> None:
        self._key = key
        self._clock = clock
        self._fixed = {
            FLEET_HTTP_PUBLIC_KEY_HEADER: b64encode(public_key).decode("ascii"),
            **dict(RuntimeVersionMetadata.from_local_component("SuperNode").as_metadata()),
        }

    def intercept(self, context: ProtobufRequestContext, call_next: ProtobufCall) -> httpx.Response:
        """Sends a request, once more if it was refused by a clock that is right now."""
        response, corrected = self._send(context, call_next)
        if corrected and response.status_code == HTTPStatus.UNAUTHORIZED:
            response, _ = self._send(context, call_next)
        return response

    def _send(self, context: ProtobufRequestContext, call_next: ProtobufCall) -> tuple[httpx.Response, bool]:
        sent = self._clock.now()
        timestamp = sent.isoformat()
        signature = sign_message(self._key, timestamp.encode("ascii"))
        context.request.headers.update(
            {
                **self._fixed,
                TIMESTAMP_HEADER: timestamp,
                FLEET_HTTP_SIGNATURE_HEADER: b64encode(signature).decode("ascii"),
            }
        )
        response = call_next(context)
        refused = response.status_code == HTTPStatus.UNAUTHORIZED
        return response, self._clock.observe(sent, self._clock.now(), response.headers.get("date"), refused=refused)


class Fleet:
    """The link of one device to its server; may be used by several threads.

    Args:
        address: Where the Fleet API is.
        ca: The federation's CA, PEM.
        key: The device's private key, PEM.
        clock: The server's clock, which outlives a link.

    Raises:
        CertificateError: The key or the CA is damaged.
        LinkError: The environment names a proxy that is none.
    """

    def __init__(self, address: Address, ca: bytes, key: bytes, clock: ServerClock) -> None:
        self.node_id = 0
        self.address = address
        self.clock = clock
        self._link = ServerLink(address)
        self._public_key = keys.public_key_of(key).encode("ascii")
        self._presence = threading.Lock()
        try:
            self._client = FleetHttpClient(
                f"https://{address.authority}",
                interceptors=[Signature(keys.private_key(key), self._public_key, clock)],
                verify=trusting(ca),
                timeout=_TIMEOUT_S,
            )
        except (httpx.InvalidURL, ValueError, ImportError):  # their messages quote passwords
            raise LinkError("HTTPS_PROXY or ALL_PROXY names no proxy: write it as http://host:port") from None

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def activate(self) -> int:
        """Begins as the node of this device's key.

        Returns:
            The node's id, the same for as long as the key is.

        Raises:
            NotActivatedError: The server does not know the key, or has the node as online.
            UnwelcomeError: The time is wrong.
            LinkError: There is no way to the server.
        """
        with self._explained():
            request = ActivateNodeRequest(public_key=self._public_key, heartbeat_interval=HEARTBEAT_S)
            self.node_id = self._client.ActivateNode(request).node_id
        return self.node_id

    def beat(self) -> None:
        """Says that this device is there; that also brings a node back that was taken for gone.

        Raises:
            UnwelcomeError: The key is not that of the node any more, or the time is wrong.
            LinkError: There is no way to the server.
        """
        with self._presence, self._explained():
            request = SendNodeHeartbeatRequest(node=self._node, heartbeat_interval=HEARTBEAT_S)
            known = self._client.SendNodeHeartbeat(request).success
        if not known:
            raise UnwelcomeError("the server does not know this node")

    def leave(self) -> None:
        """Says that this device is not there for now; then no round waits for it.

        Raises:
            LinkError: There is no way to the server; it finds out within a minute.
            UnwelcomeError: The server does not know this device.
        """
        with self._presence, self._explained():
            self._client.DeactivateNode(DeactivateNodeRequest(node_id=self.node_id))

    def receive(self) -> Assignment | None:
        """Asks for a message; a server may hold the question for a while.

        Raises:
            UnwelcomeError: The server does not take this device's signature.
            LinkError: There is no way to the server.
        """
        with self._explained():
            response = self._client.PullMessages(PullMessagesRequest(node=self._node))
        if not response.messages_list:
            return None
        return Assignment(response.messages_list[0].metadata.SerializeToString(), response.message_object_trees[0])

    def check_wanted(self, assignment: Assignment) -> None:
        """Asks whether somebody still waits for an answer.

        Raises:
            RunOverError: Nobody does.
            UnwelcomeError: The server does not take this device's signature.
            LinkError: There is no way to the server.
        """
        with self._explained():
            self._client.GetRun(GetRunRequest(node=self._node, run_id=assignment.run))

    def fetch(self, assignment: Assignment) -> bytes:
        """Fetches a message's content.

        Returns:
            The whole message: Flower's protobuf `Message`, encoded.

        Raises:
            UnreadableError: It is gone, or is not what it should be.
            RunOverError: The run is over.
            UnwelcomeError: The server does not take this device's signature.
            LinkError: There is no way to the server.
        """
        run, ids = assignment.run, [part.object_id for part in iterate_object_tree(assignment.tree)]
        with self._explained():
            objects = pull_objects(
                ids,
                make_pull_object_fn_protobuf(self._client.PullObject, self._node, run),
                max_time=assignment.expires_at - self.clock.now().timestamp(),
                initial_backoff=_FIRST_WAIT_S,
                backoff_cap=_LONGEST_WAIT_S,
            )
            confirmation = ConfirmMessageReceivedRequest(
                node=self._node, run_id=run, message_object_id=assignment.message
            )
            self._client.ConfirmMessageReceived(confirmation)
        try:
            message = inflate_object_from_contents(assignment.message, objects)
            content = message.content if isinstance(message, Message) else RecordDict()
        except (ValueError, KeyError, TypeError) as error:
            raise UnreadableError("the message cannot be read; the server may be of another version") from error
        metadata = Metadata.FromString(assignment.metadata)
        whole: bytes = ProtoMessage(metadata=metadata, content=recorddict_to_proto(content)).SerializeToString()
        return whole

    def reply(self, assignment: Assignment, answer: bytes, seconds: float) -> Reply:
        """Makes what is sent of an answer.

        Args:
            assignment: What is answered.
            answer: The whole message: Flower's protobuf `Message`, encoded.
            seconds: How long it took.
        """
        return self._reply(assignment, message_from_proto(ProtoMessage.FromString(answer)), seconds)

    def failure(self, assignment: Assignment, reason: str, seconds: float = 0.0) -> Reply:
        """Makes what is sent where there is no answer.

        Args:
            assignment: What is not answered.
            reason: Why, in words that may leave the device.
            seconds: How long it took to fail.
        """
        asked = make_message(metadata_from_proto(Metadata.FromString(assignment.metadata)), RecordDict())
        error = Error(ErrorCode.CLIENT_APP_CRASHED, reason)
        return self._reply(assignment, Message(error, reply_to=asked), seconds)

    def push(self, reply: Reply) -> None:
        """Sends a reply; may be repeated.

        Raises:
            RunOverError: The run is over, or the time for the answer.
            UnwelcomeError: The server does not take this device's signature.
            LinkError: There is no way to the server.
        """
        metadata = reply.header.metadata
        if metadata.created_at + metadata.ttl <= self.clock.now().timestamp():
            raise RunOverError("nobody waits for the answer any more")
        request = PushMessagesRequest(
            node=self._node,
            messages_list=[reply.header],
            message_object_trees=[reply.tree],
            clientapp_runtime_list=[reply.seconds],
        )
        for _ in range(_PUSHES):
            with self._explained():
                response = self._client.PushMessages(request)
                send = make_push_object_fn_protobuf(
                    self._client.PushObject, self._node, metadata.run_id, response.session_id
                )
                wanted = ((name, reply.objects[name]) for name in response.objects_to_push)
                try:
                    push_object_contents_from_iterable(wanted, send)
                except ObjectPushError:  # another device sent the very same object meanwhile: ask what is missing
                    continue
                return
        raise LinkError("the server does not take this device's reply")

    @property
    def _node(self) -> Node:
        return Node(node_id=self.node_id)

    def _reply(self, assignment: Assignment, message: Message, seconds: float) -> Reply:
        metadata = message.metadata
        # A trainer's clock is this machine's, and may have been set since it began.
        metadata.created_at = self.clock.now().timestamp()
        metadata.ttl = assignment.expires_at - metadata.created_at
        with no_object_id_recompute():
            tree = get_object_tree(message)
            objects = {name: part.deflate() for name, part in get_all_nested_objects(message).items()}
        header = message_to_proto(remove_content_from_message(message))
        header.metadata.message_id = tree.object_id
        error = message.error.reason if message.has_error() else None
        return Reply(header, tree, objects, seconds, error)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Says what a failure of a request means."""
        try:
            with self._link.failures_named():
                yield
        except EnrolmentError as error:
            raise LinkError(str(error)) from error
        except httpx.HTTPStatusError as error:
            raise _meaning(error.response.status_code) from error
        except ObjectPullError as error:
            raise UnreadableError("the message is gone from the server") from error
        except ValueError as error:  # Flower's, of an answer that is no protobuf
            raise LinkError("what answers is no Handfed server, or one of another version") from error


def _meaning(status: int) -> HandfedError:
    match status:
        case HTTPStatus.UNAUTHORIZED:
            return UnwelcomeError("the server does not take this device's signature")
        case HTTPStatus.FORBIDDEN:
            return RunOverError("the run is over")
        case HTTPStatus.PRECONDITION_FAILED:
            return NotActivatedError("the server does not let this device begin")
    return LinkError(f"the server answers {status}; its operator's log says why")
