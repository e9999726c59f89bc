"""Answers kept by mutation id, so that a repeated request has no second effect."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from tests.cluster.errors import ClusterError, generic
from tests.cluster.requests import Request

KEPT = 10_000


class Mutations:
    """The answers of the last volatile commands."""

    def __init__(self) -> None:
        self.answers: OrderedDict[str, Any] = OrderedDict()

    async def once(self, request: Request, run: Callable[[], Awaitable[Any]]) -> Any:
        """Run a command, or give the answer that its first run gave."""
        ident = request.get("mutation_id")
        if not ident:
            return await run()
        if ident in self.answers:
            if not request.get("retry"):
                raise generic(f'Duplicate request is not marked as "retry" (MutationId: {ident})')
            return self._replay(self.answers[ident])
        try:
            answer = await run()
        except ClusterError as error:
            answer = error
        self.answers[str(ident)] = answer
        while len(self.answers) > KEPT:
            self.answers.popitem(last=False)
        return self._replay(answer)

    @staticmethod
    def _replay(answer: Any) -> Any:
        if isinstance(answer, ClusterError):
            raise answer
        return answer
