"""YQL in dev: a listed grammar, parsed, bound and typed here, and run in DuckDB.

`engine` is the way in. `lexer` and `parser` turn text into `syntax`; `selects` and `expressions` give every node a
type and its SQL; `session` is the only place that talks to DuckDB.
"""
