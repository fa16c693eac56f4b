"""Functions that the embedded Postgres has and Redshift has not: refused by name, as if they did not exist.

The list is the manual's (unsupported PostgreSQL functions, leader node-only functions), and what Postgres got after 8.0
and the manual does not know. It is no allow-list: a gate in front of the stand-in is.
"""

from __future__ import annotations

REFUSED_FUNCTIONS = frozenset(
    """
    acosd acosh area array_agg array_append array_cat array_dims array_fill array_length array_lower array_ndims
    array_prepend array_remove array_replace array_to_json array_to_string
    array_upper asind asinh atan2d atand atanh bit_count cardinality center clock_timestamp concat_ws
    convert_from convert_to corr cosd cosh cotd covar_pop covar_samp current_query current_setting currval
    date_bin daterange dblink diameter div encode erf erfc every format gcd gen_random_uuid
    generate_series generate_subscripts hash_record hashtext hashtextextended height host hostmask
    inet_client_addr inet_client_port inet_server_addr inet_server_port int4range int8range is_normalized
    isclosed isempty isopen json_agg json_array_element json_array_elements json_array_elements_text
    json_build_array json_build_object json_each json_each_text json_extract_path json_object json_object_agg
    json_object_keys json_populate_record json_populate_recordset json_strip_nulls json_to_record
    json_to_recordset jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_array_length
    jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path jsonb_extract_path_text
    jsonb_insert jsonb_object jsonb_object_agg jsonb_object_keys jsonb_path_exists jsonb_path_match
    jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_populate_record
    jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_to_record
    jsonb_to_recordset jsonb_typeof justify_days justify_hours justify_interval lastval lcm lo_export lo_get
    lo_import lo_put log10 lower_inc lower_inf make_date make_interval make_time make_timestamp make_timestamptz
    masklen min_scale mode network nextval normalize npoints num_nonnulls num_nulls numnode numrange overlay
    parse_ident pg_advisory_lock pg_advisory_unlock pg_advisory_xact_lock pg_current_xact_id pg_database_size
    pg_ls_dir pg_notify pg_read_binary_file pg_read_file pg_relation_size pg_reload_conf pg_rotate_logfile
    pg_size_pretty pg_sleep pg_stat_file pg_switch_wal pg_table_size pg_total_relation_size pg_try_advisory_lock
    pg_try_advisory_xact_lock phraseto_tsquery plainto_tsquery postgres_avg postgres_concat postgres_format_type
    postgres_json_array_length postgres_json_extract_path_text postgres_regexp_replace postgres_regexp_substr
    postgres_sum postgres_version query_to_xml querytree quote_nullable radius random_normal regexp_like
    regexp_match regexp_matches regexp_split_to_array regexp_split_to_table regr_avgx regr_avgy regr_count
    regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy row_to_json scale set_config setseed setval
    setweight sha224 sha256 sha384 sha512 sind sinh starts_with statement_timestamp string_agg string_to_array
    string_to_table table_to_xml tand tanh to_json to_jsonb to_tsquery to_tsvector transaction_timestamp
    trim_array trim_scale ts_headline ts_rank ts_rank_cd tsrange tstzrange txid_current txid_current_snapshot
    unistr unnest upper_inc upper_inf websearch_to_tsquery width width_bucket xmlagg xmlcomment xmlconcat
    xmlelement xmlforest xmlparse xpath xpath_exists
    """.split()  # noqa: SIM905
)
"""Unknown to Redshift: https://docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-functions.html"""

LEADER_FUNCTIONS = frozenset(
    """
    age current_schema current_schemas factorial get_bit get_byte has_database_privilege has_schema_privilege
    has_table_privilege isfinite now set_bit set_byte to_ascii
    """.split()  # noqa: SIM905
)
"""Refused with user tables: https://docs.aws.amazon.com/redshift/latest/dg/c_SQL_functions_leader_node_only.html"""

NOT_HERE = frozenset(
    """
    addbbox array_except array_sort arrays_overlap change_query_priority change_session_priority change_user_priority
    checksum collate current_aws_account current_namespace decimal_precision decimal_scale default_iam_role dropbbox
    explain_model farmfingerprint64 geometrytype has_assumerole_privilege hll_cardinality hll_combine
    hll_combine_sketches hll_create_sketch is_char is_decimal is_float is_varbyte lower_attribute_names
    object_transform pg_get_grantee_by_iam_role pg_get_iam_role_by_user pg_get_session_roles pg_last_query_id
    reboot_cluster size slice_num supportsbbox text_to_int_alt text_to_numeric_alt upper_attribute_names
    """.split()  # noqa: SIM905
)
"""In the manual's function reference (https://docs.aws.amazon.com/redshift/latest/dg/c_SQL_functions.html), and not in
the stand-in: they need a cluster, or the manual does not say what they compute, or nobody has written them yet."""

NOT_HERE_PREFIXES = ("st_", "h3_")
"""The spatial functions."""
