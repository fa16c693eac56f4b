-- What Postgres can't hold: physical design, declared keys, the two kinds of views it lacks, loads and unloads.
create schema standin;
grant usage on schema standin to public;

-- SUPER holds any JSON value.
create domain standin.super as jsonb;

create table standin.table_design (
    table_oid oid primary key,
    diststyle text,
    distkey smallint,
    sort_style text,
    sort_attnums smallint[] not null default '{}',
    backup boolean not null default true,
    encode_auto boolean not null default true
);

create table standin.column_encoding (
    table_oid oid not null,
    attnum smallint not null,
    encoding text not null,
    primary key (table_oid, attnum)
);

create table standin.declared_key (
    id integer generated always as identity primary key,
    table_oid oid not null,
    kind text not null,
    attnums smallint[] not null,
    other_oid oid,
    other_attnums smallint[]
);

create table standin.late_view (
    view_oid oid primary key,
    query text not null,
    columns text not null,
    broken text
);

create table standin.late_reference (
    view_oid oid not null,
    schema_name name not null,
    relation_name name not null,
    relation_oid oid not null
);

create table standin.materialized (
    view_oid oid primary key,
    storage_oid oid not null,
    query text not null,
    definition text not null,
    auto_refresh boolean not null,
    refreshed_at timestamp not null
);

create table standin.identity_kind (
    role_name name primary key,
    kind text not null
);

create sequence standin.query_id start 1000;

create table standin.load_history (
    query_id bigint primary key,
    user_id integer not null,
    session_id integer not null,
    database_name varchar(128),
    schema_name varchar(128),
    table_name varchar(128),
    table_id integer,
    status varchar(16) not null,
    data_source varchar(1024) not null,
    file_format varchar(16) not null,
    loaded_rows bigint not null,
    loaded_bytes bigint not null,
    source_file_count integer not null,
    source_file_bytes bigint not null,
    error_count bigint not null,
    start_time timestamp not null,
    end_time timestamp not null,
    copy_job_id bigint
);

create table standin.load_file (
    query_id bigint not null,
    file_name varchar(1024) not null,
    bytes bigint not null,
    rows_scanned bigint not null,
    loaded_at timestamp not null
);

create table standin.load_error (
    query_id bigint not null,
    user_id integer not null,
    session_id integer not null,
    table_id integer,
    start_time timestamp not null,
    file_name varchar(1024) not null,
    line_number bigint not null,
    column_name varchar(127),
    column_type varchar(32),
    column_length varchar(32),
    position integer not null,
    error_code integer not null,
    error_message varchar(512) not null,
    raw_field_value varchar(1024),
    raw_line varchar(1024)
);

create table standin.unload_history (
    query_id bigint primary key,
    user_id integer not null,
    session_id integer not null,
    database_name varchar(128),
    status varchar(16) not null,
    destination varchar(1024) not null,
    file_format varchar(16) not null,
    compression varchar(16) not null,
    file_count integer not null,
    unloaded_rows bigint not null,
    unloaded_bytes bigint not null,
    start_time timestamp not null,
    end_time timestamp not null
);

create table standin.unload_file (
    query_id bigint not null,
    file_name varchar(1024) not null,
    row_count bigint not null,
    bytes bigint not null,
    unloaded_at timestamp not null
);

grant select, insert, update, delete on all tables in schema standin to public;
grant usage on all sequences in schema standin to public;
