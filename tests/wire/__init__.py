"""What ytbuild puts on the wire, held against what the unmodified official client does for the same purpose.

`official.jsonl` is the oracle that nobody of ytbuild wrote: a line a request (`lines.py` says how), of
`ytsaurus-client` 0.13.55. `python -m tests.wire tests/wire/official.jsonl` records it anew with the client that is
installed; `python -m tests.wire --ytbuild FILE` records ytbuild. `comparison.py` compares, and `intended.toml` holds
the differences that are meant, each with its reason.
"""
