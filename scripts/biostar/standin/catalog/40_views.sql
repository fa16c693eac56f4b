-- Redshift's system views, as far as they can be answered from what is known or recorded.

alter function pg_catalog.format_type(oid, integer) rename to postgres_format_type;

create function standin.type_name(kind oid, typmod integer) returns text language sql stable as $$
    select case
        when kind = 'standin.super'::regtype then 'super'
        when kind = 'jsonb'::regtype then 'super'
        when kind = 'bytea'::regtype then 'binary varying(64000)'
        when kind in ('text'::regtype, 'varchar'::regtype) and coalesce(typmod, -1) < 0 then 'character varying(65535)'
        else pg_catalog.postgres_format_type(kind, typmod)
    end$$;
create function pg_catalog.format_type(oid, integer) returns text language sql stable
as 'select standin.type_name($1, $2)';

create function standin.base_type(kind oid, typmod integer) returns varchar language sql stable as $$
    select regexp_replace(standin.type_name(kind, typmod), '[(][^)]*[)]', '')::varchar$$;

create view standin.relation as
select c.oid, n.nspname as schema_name, c.relname as relation_name, c.relkind, c.relowner, c.reltuples, c.relpersistence
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname not in ('pg_catalog', 'information_schema', 'standin', 'pg_toast')
    and n.nspname not like 'pg!_toast%' escape '!'
    and c.relkind in ('r', 'v');

create view standin.column_design as
select
    a.attrelid, a.attnum, a.attname,
    coalesce(e.encoding, case
        when array_position(d.sort_attnums, a.attnum) is not null then 'none'
        when a.atttypid in ('boolean'::regtype, 'real'::regtype, 'double precision'::regtype) then 'none'
        when a.atttypid in ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype) then 'lzo'
        when a.atttypid = 'standin.super'::regtype then 'zstd'
        else 'az64'
    end) as encoding,
    d.distkey is not distinct from a.attnum and d.distkey is not null as is_distkey,
    coalesce(
        array_position(d.sort_attnums, a.attnum)
        * case when d.sort_style = 'interleaved' and array_position(d.sort_attnums, a.attnum) % 2 = 1 then -1 else 1 end,
        0
    ) as sort_position
from pg_attribute as a
left join standin.table_design as d on d.table_oid = a.attrelid
left join standin.column_encoding as e on e.table_oid = a.attrelid and e.attnum = a.attnum
where a.attnum > 0 and not a.attisdropped;

-- Redshift's pg_attribute and pg_class have columns more.
create view standin.pg_attribute as
select
    a.*,
    coalesce(c.is_distkey, false) as attisdistkey,
    coalesce(c.sort_position, 0) as attsortkeyord,
    0 as attencodingtype
from pg_catalog.pg_attribute as a
left join standin.column_design as c on c.attrelid = a.attrelid and c.attnum = a.attnum
where not exists (select 1 from standin.late_view as l where l.view_oid = a.attrelid);

create function standin.style_number(relation oid) returns integer language sql stable as $$
    select case coalesce((select diststyle from standin.table_design where table_oid = relation), 'auto')
        when 'even' then 0 when 'key' then 1 when 'all' then 8 else 9
    end$$;

create view standin.pg_class as
select c.*, standin.style_number(c.oid) as reldiststyle, standin.style_number(c.oid) as releffectivediststyle
from pg_catalog.pg_class as c;

create or replace view pg_catalog.pg_views as
select
    n.nspname as schemaname,
    c.relname as viewname,
    pg_get_userbyid(c.relowner) as viewowner,
    coalesce(m.definition, l.query || ' with no schema binding', pg_get_viewdef(c.oid)) as definition
from pg_class as c
left join pg_namespace as n on n.oid = c.relnamespace
left join standin.materialized as m on m.view_oid = c.oid
left join standin.late_view as l on l.view_oid = c.oid
where c.relkind = 'v';

create view standin.tables as
select t.* from information_schema.tables as t
where t.table_schema <> 'standin' and t.table_name not like 'mv!_tbl!_!_%' escape '!';

create view standin.views as
select
    v.table_catalog, v.table_schema, v.table_name,
    coalesce(p.definition, v.view_definition)::varchar as view_definition,
    v.check_option, v.is_updatable
from information_schema.views as v
left join pg_catalog.pg_views as p on p.schemaname = v.table_schema and p.viewname = v.table_name
where v.table_schema <> 'standin';

-- a late-binding view is in no list of columns but pg_get_late_binding_view_cols
create view standin.columns as
select
    current_database()::varchar as table_catalog,
    r.schema_name::varchar as table_schema,
    r.relation_name::varchar as table_name,
    a.attname::varchar as column_name,
    a.attnum::integer as ordinal_position,
    pg_get_expr(d.adbin, d.adrelid)::varchar as column_default,
    (case when a.attnotnull then 'NO' else 'YES' end)::varchar as is_nullable,
    standin.base_type(a.atttypid, a.atttypmod) as data_type,
    case
        when a.atttypid in ('varchar'::regtype, 'bpchar'::regtype) and a.atttypmod > 0 then a.atttypmod - 4
        when a.atttypid in ('varchar'::regtype, 'text'::regtype) then 65535
    end as character_maximum_length,
    null::integer as character_octet_length,
    case a.atttypid
        when 'numeric'::regtype then case when a.atttypmod > 0 then ((a.atttypmod - 4) >> 16) & 65535 else 38 end
        when 'smallint'::regtype then 16 when 'integer'::regtype then 32 when 'bigint'::regtype then 64
        when 'real'::regtype then 24 when 'double precision'::regtype then 53
    end as numeric_precision,
    case a.atttypid when 'numeric'::regtype then 10 else 2 end as numeric_precision_radix,
    case
        when a.atttypid = 'numeric'::regtype and a.atttypmod > 0 then (a.atttypmod - 4) & 2047
        when a.atttypid in ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype) then 0
    end as numeric_scale,
    case when a.atttypid in ('timestamp'::regtype, 'timestamptz'::regtype) then 6 end as datetime_precision,
    standin.base_type(a.atttypid, a.atttypmod) as udt_name
from standin.relation as r
join pg_catalog.pg_attribute as a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef as d on d.adrelid = r.oid and d.adnum = a.attnum
where not exists (select 1 from standin.late_view as l where l.view_oid = r.oid);

create function pg_catalog.pg_get_late_binding_view_cols() returns setof record language sql stable as $$
    select n.nspname, c.relname, a.attname, standin.type_name(a.atttypid, a.atttypmod)::varchar, a.attnum::integer
    from standin.late_view as l
    join pg_class as c on c.oid = l.view_oid
    join pg_namespace as n on n.oid = c.relnamespace
    join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where l.broken is null$$;

create function pg_catalog.pg_get_cols(relation text) returns setof record language sql stable as $$
    select n.nspname, c.relname, a.attname, standin.type_name(a.atttypid, a.atttypmod)::varchar, a.attnum::integer
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.oid = relation::regclass
    order by a.attnum$$;

create view standin.relation_kind as
select
    r.*,
    case
        when r.relkind = 'r' then 'TABLE'
        else 'VIEW'
    end as table_type,
    case
        when r.relkind = 'r' then 'REGULAR TABLE'
        when exists (select 1 from standin.materialized as m where m.view_oid = r.oid) then 'MATERIALIZED VIEW'
        when exists (select 1 from standin.late_view as l where l.view_oid = r.oid) then 'LATE BINDING VIEW'
        else 'REGULAR VIEW'
    end as table_subtype,
    obj_description(r.oid, 'pg_class') as remarks,
    pg_get_userbyid(r.relowner) as owner
from standin.relation as r
where r.relation_name not like 'mv!_tbl!_!_%' escape '!';

create view standin.live_rows as
select c.oid, greatest(pg_stat_get_live_tuples(c.oid), c.reltuples::bigint, 0) as rows from pg_class as c
where c.relkind = 'r';

create view pg_catalog.svv_table_info as
select
    current_database()::varchar as "database",
    coalesce(n.nspname, r.schema_name)::varchar as "schema",
    r.oid as table_id,
    coalesce(v.relname, r.relation_name)::varchar as "table",
    case
        when d.encode_auto or d.table_oid is null then 'Y, AUTO(ENCODE)'
        when exists (
            select 1 from standin.column_encoding as e where e.table_oid = r.oid and e.encoding not in ('raw', 'none')
        ) then 'Y'
        else 'N'
    end::varchar as encoded,
    (case coalesce(d.diststyle, 'auto')
        when 'key' then 'KEY(' || k.attname || ')'
        when 'all' then 'ALL'
        when 'even' then 'EVEN'
        else 'AUTO(ALL)'
    end)::varchar as diststyle,
    (case
        when d.sort_style = 'interleaved' then 'INTERLEAVED(' || s.attname || ')'
        when d.sort_style = 'auto' or d.sort_style is null then 'AUTO(SORTKEY)'
        else s.attname
    end)::varchar as sortkey1,
    (
        select coalesce(max(case when a.atttypmod > 0 then a.atttypmod - 4 else 65535 end), 0)::integer
        from pg_attribute as a
        where a.attrelid = r.oid and a.attnum > 0 and a.atttypid in ('varchar'::regtype, 'text'::regtype)
    ) as max_varchar,
    (
        select c.encoding from standin.column_design as c
        where c.attrelid = r.oid and c.attnum = d.sort_attnums[1]
    )::char(32) as sortkey1_enc,
    coalesce(array_length(d.sort_attnums, 1), 0) as sortkey_num,
    greatest(1, ceil(pg_table_size(r.oid) / 1048576.0))::bigint as size,
    0.0::numeric(10, 4) as pct_used,
    0::bigint as empty,
    null::numeric(5, 2) as unsorted,
    0.0::numeric(5, 2) as stats_off,
    l.rows::numeric(38, 0) as tbl_rows,
    null::numeric(19, 2) as skew_sortkey1,
    null::numeric(19, 2) as skew_rows,
    l.rows::numeric(38, 0) as estimated_visible_rows,
    null::varchar as risk_event,
    null::numeric(12, 2) as vacuum_sort_benefit,
    null::timestamp as create_time
from standin.relation as r
join standin.live_rows as l on l.oid = r.oid
left join standin.table_design as d on d.table_oid = r.oid
left join pg_attribute as k on k.attrelid = r.oid and k.attnum = d.distkey
left join pg_attribute as s on s.attrelid = r.oid and s.attnum = d.sort_attnums[1]
left join standin.materialized as m on m.storage_oid = r.oid
left join pg_class as v on v.oid = m.view_oid
left join pg_namespace as n on n.oid = v.relnamespace
where r.relkind = 'r' and pg_table_size(r.oid) > 0 and pg_relation_size(r.oid) > 0;

create view pg_catalog.pg_table_def as
select
    r.schema_name::name as schemaname,
    r.relation_name::name as tablename,
    c.attname::name as "column",
    standin.type_name(a.atttypid, a.atttypmod)::varchar as type,
    (case when c.encoding = 'raw' then 'none' else c.encoding end)::char(32) as encoding,
    c.is_distkey as distkey,
    c.sort_position as sortkey,
    a.attnotnull as "notnull"
from standin.relation as r
join standin.column_design as c on c.attrelid = r.oid
join pg_attribute as a on a.attrelid = r.oid and a.attnum = c.attnum
where r.relkind = 'r' and r.schema_name = any (current_schemas(true))
order by r.schema_name, r.relation_name, a.attnum;

create view pg_catalog.svv_redshift_columns as
select
    current_database()::varchar(128) as database_name,
    r.schema_name::varchar(128) as schema_name,
    r.relation_name::varchar(128) as table_name,
    c.attname::varchar(128) as column_name,
    c.attnum::integer as ordinal_position,
    standin.type_name(a.atttypid, a.atttypmod)::varchar(32) as data_type,
    pg_get_expr(d.adbin, d.adrelid)::varchar(4000) as column_default,
    (case when a.attnotnull then 'NO' else 'YES' end)::varchar(3) as is_nullable,
    (case when r.relkind = 'r' then c.encoding else '' end)::varchar(128) as encoding,
    c.is_distkey as distkey,
    c.sort_position as sortkey,
    ''::varchar(128) as column_acl,
    col_description(r.oid, a.attnum)::varchar(256) as remarks
from standin.relation_kind as r
join standin.column_design as c on c.attrelid = r.oid
join pg_attribute as a on a.attrelid = r.oid and a.attnum = c.attnum
left join pg_attrdef as d on d.adrelid = r.oid and d.adnum = a.attnum;

create view pg_catalog.svv_all_columns as
select
    database_name, schema_name, table_name, column_name, ordinal_position, column_default, is_nullable, data_type,
    null::integer as character_maximum_length, null::integer as numeric_precision, null::integer as numeric_scale,
    remarks
from pg_catalog.svv_redshift_columns;

create view pg_catalog.svv_columns as
select
    table_catalog, table_schema, table_name, column_name, ordinal_position, column_default, is_nullable, data_type,
    character_maximum_length, numeric_precision, numeric_precision_radix, numeric_scale, datetime_precision,
    null::varchar as interval_type, null::varchar as interval_precision, null::varchar as character_set_catalog,
    null::varchar as character_set_schema, null::varchar as character_set_name, null::varchar as collation_catalog,
    null::varchar as collation_schema, null::varchar as collation_name, null::varchar as domain_name,
    null::varchar as remarks
from standin.columns;

create view pg_catalog.svv_tables as
select
    current_database()::varchar as table_catalog, schema_name::varchar as table_schema,
    relation_name::varchar as table_name,
    (case when relkind = 'r' then 'BASE TABLE' else 'VIEW' end)::varchar as table_type, remarks::varchar as remarks
from standin.relation_kind;

create view pg_catalog.svv_redshift_tables as
select
    current_database()::varchar as database_name, schema_name::varchar as schema_name,
    relation_name::varchar as table_name, table_type::varchar as table_type, ''::varchar as table_acl,
    remarks::varchar as remarks, owner::varchar as table_owner
from standin.relation_kind;

create view pg_catalog.svv_all_tables as
select database_name, schema_name, table_name, table_acl, table_type, remarks from pg_catalog.svv_redshift_tables;

create view pg_catalog.svv_redshift_schemas as
select
    current_database()::varchar as database_name, n.nspname::varchar as schema_name,
    n.nspowner::integer as schema_owner, 'local'::varchar as schema_type, ''::varchar as schema_acl,
    null::varchar as schema_option
from pg_namespace as n
where n.nspname not in ('standin', 'pg_toast') and n.nspname not like 'pg!_t%' escape '!';

create view pg_catalog.svv_all_schemas as
select database_name, schema_name, schema_owner, schema_type, schema_acl, null::varchar as source_database, schema_option
from pg_catalog.svv_redshift_schemas;

create view pg_catalog.svv_redshift_databases as
select
    datname::varchar as database_name, datdba::integer as database_owner, 'local'::varchar as database_type,
    ''::varchar as database_acl, ''::varchar as database_options
from pg_database
where datname not in ('postgres', 'template0', 'template1');

create view pg_catalog.svv_external_columns as
select
    null::varchar as redshift_database_name, null::varchar as schemaname, null::varchar as tablename,
    null::varchar as columnname, null::varchar as external_type, null::integer as columnnum,
    null::integer as part_key, null::varchar as is_nullable
where false;
create view pg_catalog.svv_external_tables as
select
    null::varchar as redshift_database_name, null::varchar as schemaname, null::varchar as tablename,
    null::varchar as location, null::varchar as table_type
where false;
create view pg_catalog.svv_external_schemas as
select
    null::integer as esoid, null::smallint as eskind, null::varchar as schemaname, null::integer as esowner,
    null::varchar as databasename, null::varchar as esoptions
where false;

create view pg_catalog.svv_mv_info as
select
    current_database()::varchar as database_name, n.nspname::varchar as schema_name,
    c.relowner::integer as user_id, c.relname::varchar as name, false as is_stale,
    pg_get_userbyid(c.relowner)::varchar as owner, 1 as state, m.auto_refresh as autorefresh,
    null::varchar as autorewrite
from standin.materialized as m
join pg_class as c on c.oid = m.view_oid
join pg_namespace as n on n.oid = c.relnamespace
where false
union all
select
    current_database()::varchar, n.nspname::varchar, c.relowner::integer, c.relname::varchar, false,
    pg_get_userbyid(c.relowner)::varchar, 1, m.auto_refresh, null::varchar
from standin.materialized as m
join pg_class as c on c.oid = m.view_oid
join pg_namespace as n on n.oid = c.relnamespace;

create view pg_catalog.stv_mv_info as
select
    database_name as db_name, schema_name as schema, name, is_stale, owner as owner_user_name,
    state, case when autorefresh then 't' else 'f' end::char(1) as autorefresh, 'f'::char(1) as autorewrite
from pg_catalog.svv_mv_info;

create view standin.identity as
select
    r.oid, r.rolname, r.rolsuper,
    coalesce(k.kind, case when r.rolcanlogin then 'user' else 'group' end)::varchar as kind
from pg_roles as r
left join standin.identity_kind as k on k.role_name = r.rolname
where r.rolname not like 'pg!_%' escape '!' and r.rolname <> 'standin_service';

create view pg_catalog.svv_relation_privileges as
select
    n.nspname::varchar as namespace_name,
    c.relname::varchar as relation_name,
    a.privilege_type::varchar as privilege_type,
    coalesce(i.oid, 0)::integer as identity_id,
    coalesce(i.rolname, 'public')::varchar as identity_name,
    coalesce(i.kind, 'public')::varchar as identity_type,
    a.is_grantable as admin_option
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
cross join lateral aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) as a
left join standin.identity as i on i.oid = a.grantee
where c.relkind in ('r', 'v') and n.nspname not in ('standin', 'pg_catalog', 'information_schema')
    and a.privilege_type in ('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'REFERENCES', 'TRUNCATE');

create view pg_catalog.svv_roles as
select oid::integer as role_id, rolname::varchar as role_name, ''::varchar as role_owner from standin.identity
where kind = 'role';

create view pg_catalog.pg_user_info as
select usename, usesysid, usecreatedb, usesuper, usecatupd, passwd, valuntil, useconfig from (
    select usename, usesysid, usecreatedb, usesuper, false as usecatupd, passwd, valuntil, useconfig from pg_user
) as u;

-- Declared keys, which nothing enforces.
create view standin.table_constraints as
select
    k.id, current_database()::varchar as constraint_catalog, r.schema_name::varchar as constraint_schema,
    (r.relation_name || case k.kind
        when 'primary key' then '_pkey' when 'unique' then '_key' || k.id else '_fkey' || k.id
    end)::varchar as constraint_name,
    current_database()::varchar as table_catalog, r.schema_name::varchar as table_schema,
    r.relation_name::varchar as table_name, upper(k.kind)::varchar as constraint_type,
    (select string_agg(a.attname, ', ' order by c.place) from unnest(k.attnums) with ordinality as c(n, place)
        join pg_attribute as a on a.attrelid = k.table_oid and a.attnum = c.n)::varchar as column_names,
    o.schema_name::varchar as other_schema, o.relation_name::varchar as other_table,
    (select string_agg(a.attname, ', ' order by c.place) from unnest(k.other_attnums) with ordinality as c(n, place)
        join pg_attribute as a on a.attrelid = k.other_oid and a.attnum = c.n)::varchar as other_column_names
from standin.declared_key as k
join standin.relation as r on r.oid = k.table_oid
left join standin.relation as o on o.oid = k.other_oid;

-- Loads and unloads: names, order and types of the columns as the manual's pages of 2025 have them (SYS_LOAD_HISTORY,
-- SYS_LOAD_DETAIL, SYS_LOAD_ERROR_DETAIL, r_STL_LOAD_ERRORS, r_STL_LOAD_COMMITS, SYS_UNLOAD_HISTORY, SYS_UNLOAD_DETAIL).
-- Numbers of transactions, and the S3 tags of loaded files, are not kept. A query has one number in the SYS views and
-- another in the STL views and pg_last_copy_id(), as SYS_QUERY_HISTORY says; here they lie a million apart.
create function standin.sys_query_id(query_id bigint) returns bigint language sql immutable
as $$select query_id + 1000000$$;

create view pg_catalog.sys_load_history as
select
    user_id, standin.sys_query_id(query_id) as query_id, null::bigint as transaction_id, session_id,
    database_name::varchar as database_name,
    status::varchar as status, table_name::varchar as table_name, start_time, end_time,
    datediff('microsecond', start_time, end_time) as duration, data_source::varchar as data_source,
    file_format::varchar as file_format, loaded_rows, loaded_bytes, source_file_count, source_file_bytes,
    source_file_count as file_count_scanned, source_file_bytes as file_bytes_scanned, error_count,
    coalesce(copy_job_id, 0) as copy_job_id
from standin.load_history;

create view pg_catalog.sys_load_detail as
select
    h.user_id, standin.sys_query_id(f.query_id)::integer as query_id, f.file_name::char(256) as file_name,
    f.bytes::integer as bytes_scanned, f.rows_scanned::integer as lines_scanned, f.loaded_at as record_time, 1 as splits_scanned,
    h.start_time, f.loaded_at as end_time, null::char(256) as file_etag, null::timestamp as file_last_modified
from standin.load_file as f
join standin.load_history as h on h.query_id = f.query_id;

create view pg_catalog.sys_load_error_detail as
select
    user_id, standin.sys_query_id(query_id) as query_id, null::bigint as transaction_id, session_id,
    current_database()::char(64) as database_name,
    table_id, start_time, file_name::char(256) as file_name, line_number, column_name::char(127) as column_name,
    column_type::char(10) as column_type, column_length::char(10) as column_length, position, error_code,
    error_message::char(512) as error_message
from standin.load_error;

create view pg_catalog.stl_load_errors as
select
    user_id as userid, 0 as slice, table_id as tbl, start_time as starttime, session_id as session,
    query_id::integer as query, file_name::char(256) as filename, line_number,
    coalesce(column_name, '')::char(127) as colname, coalesce(column_type, '')::char(10) as type,
    coalesce(column_length, '')::char(10) as col_length, position, coalesce(raw_line, '')::char(1024) as raw_line,
    coalesce(raw_field_value, '')::char(1024) as raw_field_value, error_code as err_code,
    error_message::char(100) as err_reason, 0 as is_partial, 0::bigint as start_offset, 0::bigint as copy_job_id
from standin.load_error;

create view pg_catalog.stl_loaderror_detail as
select
    user_id as userid, 0 as slice, session_id as session, query_id::integer as query, file_name::char(256) as filename,
    line_number, null::integer as field, coalesce(column_name, '')::char(1024) as colname,
    coalesce(raw_field_value, '')::char(1024) as value, 0 as is_null, coalesce(column_type, '')::char(10) as type,
    coalesce(column_length, '')::char(10) as col_length
from standin.load_error;

create view pg_catalog.stl_load_commits as
select
    h.user_id as userid, f.query_id::integer as query, 0 as slice, f.file_name::char(256) as name,
    f.file_name::char(256) as filename, f.bytes::integer as byte_offset, f.rows_scanned::integer as lines_scanned,
    0 as errors, f.loaded_at as curtime, 1 as status,
    (case h.file_format when 'parquet' then 'Parquet' when 'json' then 'JSON' else 'Text' end)::char(16) as file_format,
    0 as is_partial, 0::bigint as start_offset, coalesce(h.copy_job_id, 0) as copy_job_id
from standin.load_file as f
join standin.load_history as h on h.query_id = f.query_id;

create view pg_catalog.sys_unload_history as
select
    user_id, standin.sys_query_id(query_id) as query_id, null::bigint as transaction_id, session_id,
    database_name::varchar as database_name,
    status::varchar as status, start_time, end_time, datediff('microsecond', start_time, end_time) as duration,
    file_format::varchar as file_format, compression::varchar as compression_type,
    destination::varchar as unloaded_location, unloaded_rows, file_count::bigint as unloaded_files_count,
    unloaded_bytes as unloaded_files_size, null::varchar as error_message
from standin.unload_history;

create view pg_catalog.sys_unload_detail as
select
    h.user_id, standin.sys_query_id(f.query_id)::integer as query_id, h.session_id, null::bigint as transaction_id,
    f.file_name::char(1280) as file_name, h.start_time, h.end_time, f.row_count as line_count,
    f.bytes as transfer_size, h.file_format::char(10) as file_format
from standin.unload_file as f
join standin.unload_history as h on h.query_id = f.query_id;

create view pg_catalog.stl_unload_log as
select 100 as userid, query_id::integer as query, 0 as slice, 0 as pid, file_name::char(1280) as path,
    unloaded_at as start_time, unloaded_at as end_time, row_count as line_count, bytes as transfer_size,
    ''::char(10) as file_format
from standin.unload_file;

create view pg_catalog.stv_sessions as
select
    backend_start::timestamp as starttime, pid as process, usename::char(50) as user_name, datname::char(50) as db_name,
    0 as timeout_sec
from pg_stat_activity
where usename <> 'standin_service';

create view pg_catalog.stv_recents as
select
    usesysid::integer as userid, (case when state = 'active' then 'Running' else 'Done' end)::char(20) as status,
    query_start::timestamp as starttime, datediff('microsecond', query_start, statement_timestamp())::integer as duration,
    usename::char(50) as user_name, datname::char(50) as db_name, ''::char(600) as query, pid
from pg_stat_activity
where usename <> 'standin_service';

create view pg_catalog.stv_tbl_perm as
select
    0 as slice, oid::integer as id, relation_name::char(72) as name, 0::bigint as rows, 0::bigint as sorted_rows,
    (relpersistence = 't')::integer as temp, 0 as db_id, 0::bigint as insert_pristine, 0::bigint as delete_pristine,
    1 as backup
from standin.relation
where relkind = 'r';

-- The time of a load is the only work of which the stand-in keeps a log.
create view pg_catalog.sys_query_detail as
select
    user_id, query_id, 0 as child_query_sequence, 0 as stream_id, 0 as segment_id, 0 as step_id,
    'insert'::varchar as step_name, table_id, table_name::varchar as table_name, start_time, end_time,
    loaded_rows as output_rows, loaded_bytes as output_bytes
from standin.load_history
where status = 'completed';

-- SHOW ---------------------------------------------------------------------------------------------------------------

create function standin.show_tables(in_schema text, pattern text) returns table (
    database_name varchar, schema_name varchar, table_name varchar, table_type varchar, table_acl varchar,
    remarks varchar, owner varchar, last_altered_time timestamp, last_modified_time timestamp, dist_style varchar,
    table_subtype varchar
) language sql stable as $$
    select
        current_database()::varchar, k.schema_name::varchar, k.relation_name::varchar, k.table_type::varchar,
        ''::varchar, k.remarks::varchar, k.owner::varchar, null::timestamp, null::timestamp,
        (select i.diststyle from pg_catalog.svv_table_info as i where i.table_id = k.oid),
        k.table_subtype::varchar
    from standin.relation_kind as k
    where k.schema_name = in_schema and (pattern is null or k.relation_name like pattern)
    order by 2, 3$$;

create function standin.show_columns(in_schema text, in_table text, pattern text) returns table (
    database_name varchar, schema_name varchar, table_name varchar, column_name varchar, ordinal_position integer,
    column_default varchar, is_nullable varchar, data_type varchar, character_maximum_length integer,
    numeric_precision integer, numeric_scale integer, remarks varchar, sort_key_type varchar, sort_key integer,
    dist_key integer, encoding varchar, collation_name varchar
) language sql stable as $$
    select
        current_database()::varchar, r.schema_name::varchar, r.relation_name::varchar, a.attname::varchar,
        a.attnum::integer, null::varchar, (case when a.attnotnull then 'NO' else 'YES' end)::varchar,
        standin.base_type(a.atttypid, a.atttypmod),
        case
            when a.atttypid in ('varchar'::regtype, 'bpchar'::regtype) and a.atttypmod > 0 then a.atttypmod - 4
            when a.atttypid in ('varchar'::regtype, 'text'::regtype) then 65535
        end,
        case a.atttypid
            when 'numeric'::regtype then case when a.atttypmod > 0 then ((a.atttypmod - 4) >> 16) & 65535 else 38 end
            when 'smallint'::regtype then 16 when 'integer'::regtype then 32 when 'bigint'::regtype then 64
        end,
        case
            when a.atttypid = 'numeric'::regtype and a.atttypmod > 0 then (a.atttypmod - 4) & 2047
            when a.atttypid in ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype) then 0
        end,
        col_description(r.oid, a.attnum)::varchar,
        (select d.sort_style from standin.table_design as d where d.table_oid = r.oid)::varchar,
        abs(c.sort_position), c.is_distkey::integer, c.encoding::varchar, null::varchar
    from standin.relation as r
    join pg_attribute as a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    join standin.column_design as c on c.attrelid = r.oid and c.attnum = a.attnum
    where r.schema_name = in_schema and r.relation_name = in_table
        and (pattern is null or a.attname like pattern)
    order by a.attnum$$;

create function standin.show_schemas(pattern text) returns table (
    database_name varchar, schema_name varchar, schema_owner varchar, schema_type varchar, schema_acl varchar,
    source_database varchar, schema_option varchar
) language sql stable as $$
    select
        s.database_name, s.schema_name, pg_get_userbyid(s.schema_owner)::varchar, s.schema_type, s.schema_acl,
        null::varchar, s.schema_option
    from pg_catalog.svv_redshift_schemas as s
    where pattern is null or s.schema_name like pattern
    order by 2$$;

create function standin.show_databases(pattern text) returns table (
    database_name varchar, database_owner varchar, database_type varchar, database_acl varchar,
    parameters varchar, database_isolation_level varchar
) language sql stable as $$
    select
        d.database_name, pg_get_userbyid(d.database_owner)::varchar, d.database_type, d.database_acl, null::varchar,
        'Snapshot Isolation'::varchar
    from pg_catalog.svv_redshift_databases as d
    where pattern is null or d.database_name like pattern
    order by 1$$;

create function standin.show_grants(relation text) returns table (
    database_name varchar, schema_name varchar, object_name varchar, object_type varchar, privilege_type varchar,
    identity_id integer, identity_name varchar, identity_type varchar, admin_option boolean, privilege_scope varchar,
    grantor_name varchar
) language sql stable as $$
    select
        current_database()::varchar, p.namespace_name, p.relation_name,
        (case when c.relkind = 'r' then 'TABLE' else 'VIEW' end)::varchar, p.privilege_type, p.identity_id,
        (case when p.identity_type = 'group' then '/' else '' end || p.identity_name)::varchar,
        (case when p.identity_type = 'group' then 'role' else p.identity_type end)::varchar, p.admin_option,
        (case when c.relkind = 'r' then 'TABLE' else 'VIEW' end)::varchar, pg_get_userbyid(c.relowner)::varchar
    from pg_catalog.svv_relation_privileges as p
    join pg_class as c on c.oid = to_regclass(relation)
    join pg_namespace as n on n.oid = c.relnamespace
    where p.relation_name = c.relname and p.namespace_name = n.nspname$$;

create function standin.show_view(view_name text) returns varchar language sql stable as $$
    select definition::varchar from pg_catalog.pg_views as v
    join pg_class as c on c.oid = to_regclass(view_name)
    join pg_namespace as n on n.oid = c.relnamespace
    where v.viewname = c.relname and v.schemaname = n.nspname$$;

create function standin.show_table(relation text) returns varchar language plpgsql stable as $$
declare
    shown oid := to_regclass(relation);
    design standin.table_design;
    lines text;
    attributes text := '';
begin
    if shown is null then
        raise exception 'relation "%" does not exist', relation using errcode = '42P01';
    end if;
    select * into design from standin.table_design where table_oid = shown;
    select string_agg(
        '    ' || a.attname || ' ' || standin.type_name(a.atttypid, a.atttypmod)
        || case when a.attnotnull then ' NOT NULL' else '' end || ' ENCODE ' || case when c.encoding = 'none' then 'raw' else c.encoding end
        || case when c.is_distkey then ' distkey' else '' end,
        E',\n' order by a.attnum
    ) into lines
    from pg_attribute as a
    join standin.column_design as c on c.attrelid = shown and c.attnum = a.attnum
    where a.attrelid = shown and a.attnum > 0 and not a.attisdropped;
    select coalesce(string_agg(E',\n    ' || t.constraint_type || ' (' || t.column_names || ')'
        || coalesce(' REFERENCES ' || t.other_schema || '.' || t.other_table
            || coalesce(' (' || t.other_column_names || ')', ''), ''), '' order by t.id), '')
    into attributes
    from standin.table_constraints as t
    join standin.declared_key as k on k.id = t.id
    where k.table_oid = shown;
    lines := lines || attributes;
    attributes := E'\nDISTSTYLE ' || upper(coalesce(design.diststyle, 'auto'));
    if cardinality(design.sort_attnums) > 0 then
        attributes := attributes || E'\n' || upper(replace(design.sort_style, 'compound', '')) || ' SORTKEY ( '
            || (select string_agg(a.attname, ', ' order by s.place)
                from unnest(design.sort_attnums) with ordinality as s(n, place)
                join pg_attribute as a on a.attrelid = shown and a.attnum = s.n) || ' )';
    end if;
    return 'CREATE TABLE ' || shown::regclass || E' (\n' || lines || E'\n)' || attributes || ';';
end$$;

do $do$
declare
    name text;
begin
    for name in
        select relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
        where n.nspname = 'pg_catalog' and c.oid >= 16384 and c.relkind = 'v'
    loop
        execute format('grant select on pg_catalog.%I to public', name);
    end loop;
end$do$;
grant select, insert, update, delete on all tables in schema standin to public;
