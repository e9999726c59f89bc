"""Operations of the stand-in: map, reduce, map_reduce, sort, merge and vanilla, with jobs as local processes.

`spec.py` and `keys.py` check specs, `kinds.py` says what each type does with its inputs, `lifecycle.py` starts, ends
and aborts, `runner.py` runs and restarts jobs, `process.py` is one process with its pipes, `sandbox.py` its files and
environment, `streams.py` and `skiff.py` the rows on those pipes. `GET /_test/operations` shows every operation with
all that start_operation was called with, secrets included.

Jobs run with the stand-in's own interpreter first on PATH, four at a time. At the start of an operation all input
rows are read and all files copied; outputs are written at its end, in its own transaction, in the jobs' order.

Not modelled, so that no test can show anything about it:

- Refused with an error: erase, remote_copy and join_reduce; join_by, foreign tables, pivot_keys, sampling,
  input_query, auto_merge, force_reduce_combiners; use_yamr_descriptors; formats other than yson, json and skiff.
- Accepted without effect: reduce_combiner, docker_image and layer_paths (only that a layer exists is checked), all
  limits of memory, CPU, GPU, disk and tmpfs, network projects and ports, check_input_fully_consumed, pools, trees,
  weights, resource limits and other scheduling, ACLs and owners, core tables, job statistics (written to nowhere),
  interruption, restart_exit_code, probing and speculative jobs, monitoring, disk_request, enable_job_splitting.
- Isolation: a job is a process group with a sandbox, no container. It sees the machine's file system, network and
  users; a write into a read-only file is found afterwards (root is stopped by no file mode). When the stand-in itself
  is killed by SIGKILL its jobs stay; at its ordinary end they do not.
- A job's output is parsed, weighed and checked against schema and order when the job ends, not while it writes; the
  order between the outputs of several jobs when the operation ends, and that is then no failure of a job. The outputs
  of an unordered map come in the order of its jobs, where a cluster promises none.
- Numbers of jobs: job_count and data_size_per_job are taken literally, tables are cut between any two rows, an
  operation without either has one job, partitions are as many as partition_count says (fewer when they are empty).
- Jobs never get lost, preempted or aborted by the cluster; their node is always the same; get_job_input exists only
  while the stand-in does, fail contexts, traces, shells, profiles and get_job_spec not at all. No operation archive.
- Alerts, progress beyond counts, brief statistics, operation events other than states; states between starting and
  running. Operations do not survive a restart. The error tree of a failure has the real codes and messages (215 >
  1205 > 10000), not all attributes. A lock conflict of an output refuses the start (a cluster fails the operation).
- Schemas: sort and merge take over a strong schema that all their inputs share; schema_inference_mode is ignored.
- Skiff: tuples, optionals, lists, numbers, strings and any; no int128, no variants other than optional, no date types
  beyond their numbers. Composite values of a skiff output are plain lists and maps in the table.
"""

from __future__ import annotations

from tests.cluster.operations import commands, job_commands

COMMANDS = [*commands.COMMANDS, *job_commands.COMMANDS]
CONTROL = commands.CONTROL
