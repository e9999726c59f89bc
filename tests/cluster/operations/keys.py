"""The keys that specs may have; all others come back as unrecognized_spec.

The cluster accepts unknown keys silently, and so a typing mistake there is only visible in that attribute.
"""

from __future__ import annotations

from typing import Any


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


COMMON = _words("""
    acl alias annotations auto_merge chunk_availability_policy core_table_path data_size_per_job data_weight_per_job
    description enable_job_splitting fail_on_job_restart input_query intermediate_compression_codec
    intermediate_data_account intermediate_data_acl intermediate_data_medium intermediate_data_replication_factor
    issue_temporary_token job_count job_node_account job_speculation_timeout locality_timeout max_data_size_per_job
    max_data_weight_per_job max_failed_job_count max_job_count max_primary_data_size_per_job max_share_ratio
    max_speculative_job_count_per_task max_stderr_count omit_inaccessible_columns omit_inaccessible_rows owners pool
    pool_trees preemption_mode probing_ratio resource_limits sampling scheduling_options_per_pool_tree scheduling_tag
    scheduling_tag_filter secure_vault started_by stderr_table_path suspend_on_job_failure
    suspend_operation_after_materialization suspend_operation_if_account_limit_exceeded tentative_pool_trees
    tentative_tree_eligibility time_limit title try_avoid_duplicating_jobs unavailable_chunk_strategy
    unavailable_chunk_tactics use_columnar_statistics weight
""")

BY_TYPE = {
    "map": "mapper input_table_paths output_table_paths job_io ordered",
    "reduce": "reducer input_table_paths output_table_paths job_io reduce_by sort_by join_by pivot_keys"
    " consider_only_primary_size enable_key_guarantee foreign_table_lookup_keys_threshold",
    "map_reduce": "mapper reducer reduce_combiner input_table_paths output_table_paths map_job_io sort_job_io"
    " reduce_job_io sort_by reduce_by partition_count partition_data_size partition_data_weight map_job_count"
    " data_size_per_map_job data_weight_per_map_job map_selectivity_factor mapper_output_table_count ordered"
    " sort_locality_timeout data_size_per_sort_job data_size_per_reduce_job data_weight_per_sort_job"
    " force_reduce_combiners pivot_keys max_partition_factor enable_intermediate_output_recalculation"
    " disable_sorted_merge_in_reducer",
    "sort": "input_table_paths output_table_path sort_by partition_count partition_data_size partition_data_weight"
    " partition_job_count data_size_per_partition_job data_weight_per_partition_job partition_job_io sort_job_io"
    " merge_job_io sort_locality_timeout samples_per_partition data_size_per_sorted_merge_job"
    " schema_inference_mode sort_job_count pivot_keys",
    "merge": "input_table_paths output_table_path mode merge_by job_io combine_chunks force_transform"
    " schema_inference_mode",
    "vanilla": "tasks gang_manager",
}
SPEC_KEYS = {kind: COMMON | _words(keys) for kind, keys in BY_TYPE.items()}

USER_JOB = _words("""
    bypass_artifact_cache check_input_fully_consumed command copy_files cpu_limit cuda_toolkit_version
    custom_statistics_count_limit deterministic disk_request disk_space_limit docker_image enable_gpu_layers
    enable_input_table_index enable_setup_commands environment fail_job_on_core_dump file_paths format gpu_limit
    inode_limit input_format interruption_signal job_speculation_timeout job_time_limit layer_paths
    make_rootfs_writable max_stderr_size memory_limit memory_reserve_factor monitoring network_project output_format
    output_streams port_count prepare_time_limit profilers redirect_stdout_to_stderr restart_exit_code
    set_container_cpu_limit sidecars system_layer_path task_title thread_limit title tmpfs_path tmpfs_size
    tmpfs_volumes use_yamr_descriptors user_job_memory_digest_default_value user_job_memory_digest_lower_bound
    volumes
""")
TASK = USER_JOB | _words("job_count output_table_paths job_io restart_completed_jobs gang_options")
JOB_IO = _words("""
    buffer_row_count control_attributes error_file_writer pipe_capacity pipe_io_pool_size table_reader table_writer
    use_adaptive_buffer_row_count
""")
NESTED = {
    "mapper": USER_JOB,
    "reducer": USER_JOB,
    "reduce_combiner": USER_JOB,
    **dict.fromkeys(
        ("job_io", "map_job_io", "sort_job_io", "reduce_job_io", "partition_job_io", "merge_job_io"), JOB_IO
    ),
}

# What changes the result in a way that the stand-in does not model: better refused than silently ignored.
NOT_MODELLED = _words("join_by pivot_keys sampling input_query auto_merge force_reduce_combiners")


def unrecognized(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """The part of a spec that the cluster does not know."""
    found: dict[str, Any] = {}
    for key, value in spec.items():
        if key not in SPEC_KEYS[kind]:
            found[key] = value
        elif key == "tasks":
            inner = {name: _unknown(task, TASK) for name, task in value.items()}
            found |= {key: named} if (named := {name: keys for name, keys in inner.items() if keys}) else {}
        elif key in NESTED and (nested := _unknown(value, NESTED[key])):
            found[key] = nested
    return found


def _unknown(value: Any, known: frozenset[str]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key not in known} if isinstance(value, dict) else {}
