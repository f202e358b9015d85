"""A toy language model that answers and scores, as two kinds of servers do, for tests over HTTP."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.server import Act, Call

_TOKEN = re.compile(r"<\|\w+\|>|\s?\w+|\s|[^\w\s]")


@dataclass
class ToyModel:
    """Writes one reply, and gives each token the probability of its word in a table.

    Attributes:
        reply: what it answers to everything.
        chances: probability of a token behind any text; others are certain.
        scores: the APIs that score: ``chat``, ``completions``.
        calls: every request, with its path.
    """

    reply: str
    chances: Mapping[str, float]
    scores: Sequence[str] = ("chat", "completions")
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def act(self, call: Call) -> Act:
        self.calls.append((call.path, call.body))
        if call.path.endswith("/chat/completions"):
            return Act(raw=json.dumps(self._chat(call.body)).encode())
        if "completions" not in self.scores:
            message = "Only no echo is supported"
            return Act(status=400, error={"error": {"code": 400, "message": message}})
        return Act(raw=json.dumps(self._completion(call.body)).encode())

    def _chat(self, body: dict[str, Any]) -> dict[str, Any]:
        text = "".join(f"<|{one['role']}|>{one['content']}<|end|>" for one in body["messages"])
        answer = self._answer({"message": {"role": "assistant", "content": self.reply}}, text)
        if "prompt_logprobs" in body and "chat" in self.scores:
            items = [
                {str(number): {"logprob": math.log(chance), "rank": 1, "decoded_token": token}}
                for number, (token, chance) in enumerate(self._tokens(text))
            ]
            answer["prompt_logprobs"] = [None, *items[1:]]
        return answer

    def _completion(self, body: dict[str, Any]) -> dict[str, Any]:
        tokens = [*self._tokens(body["prompt"]), (" more", 0.5)]  # one is written behind it
        logprobs = {
            "tokens": [token for token, _ in tokens],
            "token_logprobs": [None, *(math.log(chance) for _, chance in tokens[1:])],
            "top_logprobs": [None] * len(tokens),
        }
        return self._answer({"text": f"{body['prompt']} more", "logprobs": logprobs}, "")

    def _answer(self, choice: dict[str, Any], text: str) -> dict[str, Any]:
        usage = {"prompt_tokens": max(10, len(self._tokens(text))), "completion_tokens": 1}
        whole = {"index": 0, "finish_reason": "stop", **choice}
        return {"model": "toy", "choices": [whole], "usage": usage}

    def _tokens(self, text: str) -> list[tuple[str, float]]:
        return [(token, self.chances.get(token, 1.0)) for token in _TOKEN.findall(text)]
