"""A stand-in YTsaurus cluster: an HTTP proxy on loopback that the unmodified official client talks to.

It is no YTsaurus: it exists so that tests and benchmarks can run the client's real requests offline, order faults
and look at what was asked. `python -m tests.cluster --folder DIR` serves; tests use `running.Cluster` through the
fixtures of `fixtures.py`. With YTBUILD_TEST_PROXY, YTBUILD_TEST_TOKEN and YTBUILD_TEST_FOLDER set, the same tests run
against a real cluster, and those that need faults, counters or the clock are skipped.

What is modelled follows the sources of the real master where that was possible: transactions with isolation and
nested commits, the compatibility and the messages of locks, expiration, links, error codes, the replay of mutations.

Not modelled, so that no test can show anything about it:

- HTTP: /api/v3, TLS, brotli and lz4 bodies, compressed or framed answers, heavy proxies of their own, roles,
  X-YT-Parameters in several headers, formats other than yson and json, `attributes_mode` and the other options of
  json except `encode_utf8`, cookies and TVM. Every token but `wrong-token` is good and every user is root.
- Cypress: portals, Sequoia, list nodes, symlinked system nodes, most of //sys, real ACLs (only path prefixes denied
  by a test, by the text of the path), inheritance of attributes, several accounts and their node and chunk counts
  (only one quota in bytes, checked when content is written), `max_size` of get, limits on name lengths, children and
  attribute sizes, attributes on values given to `set`, annotations, effective expiration, externalization, caches
  (every read is fresh).
- Ids and revisions are unique and growing, but carry no type or cell; `#id` of a node that was created in an open
  transaction is invisible outside of it (a real master shows its empty trunk); an aborted or committed transaction
  is 11000 for every command.
- Transactions: tablet transactions, deadlines of prerequisites by revision, replication between cells, boomerangs;
  a branch taken by a shared lock sees later commits of others to what it did not lock itself.
- Contents: chunks are files on disk and lists of rows in memory; compression, erasure, replication, media and
  `optimize_for` are attributes without effect, sizes are those of names and values, not of any codec. No chunk
  merging, no lost chunks, no early finish, no journals, no remote copies.
- Tables: dynamic tables, hunks, composite types (kept, not checked), renamed columns, limits by chunk index or tablet
  index, `unordered` and parallel reads by partition, `read_table` by key over descending columns with bounds of
  another length, statistics of columns.
- Time: jobs, locks and transactions are checked for expiry when a command comes, not on a schedule; the master's
  backoff after a failed removal is none.
- Speed and limits of a real cluster: no throttling, no queues, no eventual consistency between cells.

For operations and queries see the docstrings of `operations` and `queries.py`.
"""
