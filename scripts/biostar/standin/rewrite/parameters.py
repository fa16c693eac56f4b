"""Parameters of a session, and which of them have a counterpart in Postgres."""

from __future__ import annotations

POSTGRES_PARAMETERS = frozenset(
    [
        "search_path",
        "statement_timeout",
        "timezone",
        "datestyle",
        "client_encoding",
        "application_name",
        "extra_float_digits",
        "transaction_isolation",
        "session_authorization",
        "role",
    ]
)
"""Parameters that mean the same in Postgres."""

REDSHIFT_PARAMETERS = frozenset(
    [
        "activate_aqua",
        "analyze_threshold_percent",
        "auto_analyze",
        "auto_mv",
        "cast_super_null_on_error",
        "datashare_break_glass_session_var",
        "default_geometry_encoding",
        "describe_field_name_in_uppercase",
        "downcase_delimited_identifier",
        "enable_case_sensitive_identifier",
        "enable_case_sensitive_super_attribute",
        "enable_numeric_rounding",
        "enable_result_cache_for_session",
        "enable_vacuum_boost",
        "error_on_nondeterministic_update",
        "interval_forbid_composite_literals",
        "json_serialization_enable",
        "json_serialization_parse_nested_strings",
        "max_concurrency_scaling_clusters",
        "max_cursor_result_set_size",
        "mv_enable_aqmv_for_session",
        "navigate_super_null_on_error",
        "parse_super_null_on_error",
        "pg_federation_repeatable_read",
        "query_group",
        "spectrum_enable_pseudo_columns",
        "spectrum_query_maxerror",
        "stored_proc_log_min_messages",
        "use_fips_ssl",
        "wlm_query_slot_count",
    ]
)
"""Redshift's own parameters: kept for SHOW, without effect."""
