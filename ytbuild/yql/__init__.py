"""YQL: queries from plain values, and a listed grammar that runs here.

`requests` gives the text of a query. `syntax` turns a text into a tree, `binding` gives every node of it a type and
its SQL, and `duckdb` runs that on tables which it is handed.
"""

from ytbuild.yql.requests import *  # noqa: F403 - the public names, which are listed there
