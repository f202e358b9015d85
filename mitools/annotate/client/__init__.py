"""The client of an OpenAI-compatible endpoint, in the order in which a question passes through it.

- ``teachers``: the teacher that asks the endpoint, and the one that answers from the journal alone
- ``requests``: a question as the bytes of a request, and its key; ``base_url``: the endpoint's URL
- ``chat_template``: messages as one text, for a completions API
- ``endpoint``: sends a request in its turn, and again after faults that may pass
- ``sender``: sends it once, within the budget and the limits per minute
- ``pace``: how many requests run at once, and when none may start
- ``rate_limit``: how many requests and tokens may start in a minute
- ``budget``: what requests may cost, and did cost; ``usage``: the token counts that servers claim
- ``transport``: bytes over HTTP, and a bounded response; ``packed_body``: compressed ones;
  ``proxies``: the proxy that the environment names; ``open_files``: how many connections a process
  may have
- ``account``: the key and the headers; ``batch_api``: the endpoint's batches and their files
- ``completion``: the JSON of a completion, or of a scored text; ``reply_reader``: that, or a
  journal entry, as the reply to a question

What is kept:

- ``reply_store``: the journal as teachers use it; ``journal``: its SQLite file; ``group_commit``:
  entries that are written together
- ``rescue``: files for responses that the journal could not take; ``sqlite_text``: texts that
  SQLite can hold

What goes wrong:

- ``faults``: the faults of one request; ``first_faults``: noticing that every request fails alike
- ``server_words``: what a server says went wrong; ``hints``: what to type next;
  ``scoring_faults``: a server that cannot score a text
- ``model_list``: the models that an endpoint has

Only ``transport``, ``packed_body``, ``account`` and ``batch_api`` import the HTTP libraries.
Importing this package imports no module of it.
"""
