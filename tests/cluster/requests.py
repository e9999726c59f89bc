"""What a command is, and one request to run it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.cluster.state import State

NO_TRANSACTION = "0-0-0-0"

# A handler answers with a plain value, or, for binary and tabular output, with bytes or an async iterator of
# bytes. It is a function or a coroutine function.
Handler = Callable[["State", "Request"], Any]


@dataclass(frozen=True)
class Command:
    """One entry of the command table that /api/v4 shows; the client derives the HTTP verb from it."""

    name: str
    input_type: str  # null, binary, structured or tabular
    output_type: str
    is_volatile: bool
    is_heavy: bool
    handler: Handler

    def description(self) -> dict[str, Any]:
        """The entry as /api/v4 shows it."""
        return {
            "name": self.name,
            "input_type": self.input_type,
            "output_type": self.output_type,
            "is_volatile": self.is_volatile,
            "is_heavy": self.is_heavy,
        }


async def no_content() -> AsyncIterator[bytes]:
    """The body of a request without one."""
    return
    yield b""


@dataclass
class Request:
    """One command with its parameters, as it came over the wire or inside execute_batch."""

    command: str
    parameters: dict[str, Any]
    user: str = "root"
    token: str | None = None
    # The decoded value of a command whose input is structured (set): decoded by the server, or by execute_batch.
    input: Any = None
    # The body of a heavy command, decompressed; to be read once.
    body: AsyncIterator[bytes] = field(default_factory=no_content)
    # What a heavy read announces in X-YT-Response-Parameters.
    response_parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def transaction(self) -> str | None:
        """The transaction that the command runs in."""
        tx = self.parameters.get("transaction_id")
        return None if tx in (None, "", NO_TRANSACTION) else str(tx)

    def get(self, name: str, default: Any = None) -> Any:
        """A parameter, or `default`."""
        return self.parameters.get(name, default)

    async def read_body(self) -> bytes:
        """The whole body: only for commands whose bodies are small."""
        return b"".join([piece async for piece in self.body])
