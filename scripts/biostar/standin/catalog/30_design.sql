-- What the rewritten statements call: they record a design, and carry out what Postgres has no statement for.

create function standin.attnum_of(relation oid, column_name text) returns smallint language plpgsql stable as $$
declare
    found smallint;
begin
    select attnum into found from pg_attribute
    where attrelid = relation and attname = column_name and not attisdropped and attnum > 0;
    if found is null then
        raise exception 'column "%" does not exist', column_name using errcode = '42703';
    end if;
    return found;
end$$;

create function standin.record_design(
    relation text, style text, dist text, sorting text, sort_columns text[], keep_backup boolean, auto_encode boolean
) returns void language plpgsql as $$
declare
    id oid := to_regclass(relation);
    attnums smallint[] := (
        select coalesce(array_agg(standin.attnum_of(id, c.name) order by c.place), '{}')
        from unnest(sort_columns) with ordinality as c(name, place)
    );
begin
    insert into standin.table_design as d (table_oid, diststyle, distkey, sort_style, sort_attnums, backup, encode_auto)
    values (
        id, style, case when dist is not null then standin.attnum_of(id, dist) end, sorting, attnums, keep_backup, true
    )
    on conflict (table_oid) do update set
        diststyle = coalesce(excluded.diststyle, d.diststyle),
        distkey = case when excluded.diststyle is null then d.distkey else excluded.distkey end,
        sort_style = coalesce(excluded.sort_style, d.sort_style),
        sort_attnums = case when excluded.sort_style is null then d.sort_attnums else excluded.sort_attnums end,
        encode_auto = d.encode_auto or auto_encode;
end$$;

create function standin.record_encoding(relation text, column_name text, kind text) returns void
language plpgsql as $$
declare
    id oid := to_regclass(relation);
begin
    insert into standin.column_encoding values (id, standin.attnum_of(id, column_name), kind)
    on conflict (table_oid, attnum) do update set encoding = excluded.encoding;
    update standin.table_design set encode_auto = false where table_oid = id;
end$$;

create function standin.record_key(relation text, kind text, columns text[], other text, other_columns text[])
returns void language plpgsql as $$
declare
    id oid := to_regclass(relation);
    other_id oid := to_regclass(other);
begin
    if other is not null and other_id is null then
        raise exception 'relation "%" does not exist', other using errcode = '42P01';
    end if;
    insert into standin.declared_key (table_oid, kind, attnums, other_oid, other_attnums)
    values (
        id,
        kind,
        (select array_agg(standin.attnum_of(id, c.name) order by c.place)
            from unnest(columns) with ordinality as c(name, place)),
        other_id,
        (select array_agg(standin.attnum_of(other_id, c.name) order by c.place)
            from unnest(other_columns) with ordinality as c(name, place))
    );
end$$;

create function standin.forget_keys(relation text) returns void language sql
as 'delete from standin.declared_key where table_oid = to_regclass(relation)';

create function standin.record_identity(role_name text, kind text) returns void language sql as $$
    insert into standin.identity_kind values (role_name, kind)
    on conflict (role_name) do update set kind = excluded.kind$$;

-- CREATE TABLE AS: Redshift has no type `text`.
create function standin.settle_types(relation text) returns void language plpgsql as $$
declare
    changes text;
begin
    select string_agg(format('alter column %I type varchar', attname), ', ') into changes from pg_attribute
    where attrelid = to_regclass(relation) and attnum > 0 and atttypid in ('text'::regtype, 'name'::regtype);
    if changes is not null then
        execute format('alter table %s %s', relation, changes);
    end if;
end$$;

create function standin.check_widening(relation text, column_name text, size integer) returns void
language plpgsql as $$
declare
    now_type oid;
    now_size integer;
begin
    select atttypid, atttypmod - 4 into now_type, now_size from pg_attribute
    where attrelid = to_regclass(relation) and attname = column_name and not attisdropped;
    if now_type is distinct from 'varchar'::regtype then
        raise exception 'ALTER COLUMN TYPE is only supported for VARCHAR columns' using errcode = '0A000';
    end if;
end$$;

create function standin.append_rows(target text, source text, extra text) returns void language plpgsql as $$
declare
    shared text;
    only_source integer;
    only_target integer;
begin
    select string_agg(quote_ident(s.attname), ', ') into shared
    from pg_attribute s
    join pg_attribute t on t.attrelid = to_regclass(target) and t.attname = s.attname
        and t.attnum > 0 and not t.attisdropped
    where s.attrelid = to_regclass(source) and s.attnum > 0 and not s.attisdropped;
    select count(*) into only_source from pg_attribute s
    where s.attrelid = to_regclass(source) and s.attnum > 0 and not s.attisdropped and not exists (
        select 1 from pg_attribute t
        where t.attrelid = to_regclass(target) and t.attname = s.attname and not t.attisdropped
    );
    select count(*) into only_target from pg_attribute t
    where t.attrelid = to_regclass(target) and t.attnum > 0 and not t.attisdropped and not exists (
        select 1 from pg_attribute s
        where s.attrelid = to_regclass(source) and s.attname = t.attname and not s.attisdropped
    );
    if (only_source > 0 and extra <> 'ignoreextra') or (only_target > 0 and extra <> 'fillextra') then
        raise exception 'the columns of "%" and "%" differ', source, target using errcode = '42P16';
    end if;
    execute format('insert into %s (%s) select %s from %s', target, shared, shared, source);
    execute format('truncate %s', source);
end$$;

create function standin.check_database(name text) returns void language plpgsql as $$
begin
    if name <> current_database() then
        raise exception 'the stand-in serves one database to a session; connect to "%"', name using errcode = '0A000';
    end if;
end$$;

-- late-binding views ------------------------------------------------------------------------------------------------
-- A view of Postgres whose dependencies are taken away, and which is bound anew when a relation that it names has
-- been replaced. It must not stop its relations from being dropped, and dbt must not see it depend on them.

create function standin.bind_late_view(view_name text, columns text, query text) returns text
language plpgsql as $$
declare
    id oid;
begin
    begin
        execute format('create or replace view %s %s as %s', view_name, columns, query);
    exception
        when invalid_table_definition then
            execute format('drop view %s', view_name);
            execute format('create view %s %s as %s', view_name, columns, query);
        when undefined_table or undefined_column or invalid_schema_name then
            if to_regclass(view_name) is null then
                execute format('create view %s as select %L::varchar as missing', view_name, sqlerrm);
            end if;
            return sqlerrm;
    end;
    return null;
end$$;

create function standin.create_late_view(view_name text, columns text, query text, replacing boolean)
returns void language plpgsql as $$
declare
    problem text;
    id oid := to_regclass(view_name);
begin
    if id is not null and not replacing then
        raise exception 'Relation "%" already exists', view_name using errcode = '42P07';
    end if;
    delete from standin.late_view where view_oid = id;
    problem := standin.bind_late_view(view_name, columns, query);
    perform standin.settle_late_view(to_regclass(view_name), columns, query, problem);
end$$;

-- These change Postgres's own catalog, which a user may not: they run as the owner of the cluster.
create function standin.settle_late_view(id oid, columns text, query text, problem text) returns void
language plpgsql security definer set search_path = pg_catalog as $$
begin
    delete from standin.late_reference where view_oid = id;
    insert into standin.late_reference
    select distinct id, n.nspname, c.relname, c.oid
    from pg_rewrite r
    join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
        and d.refclassid = 'pg_class'::regclass and d.deptype = 'n'
    join pg_class c on c.oid = d.refobjid
    join pg_namespace n on n.oid = c.relnamespace
    where r.ev_class = id and d.refobjid <> id;
    delete from pg_depend
    where classid = 'pg_rewrite'::regclass and deptype = 'n'
        and objid in (select oid from pg_rewrite where ev_class = id)
        and refclassid = 'pg_class'::regclass and refobjid <> id
        and refobjid >= 16384;
    insert into standin.late_view values (id, query, columns, problem)
    on conflict (view_oid) do update set
        query = excluded.query, columns = excluded.columns, broken = excluded.broken;
end$$;

create function standin.rebind_late_views() returns event_trigger language plpgsql security definer as $$
declare
    late record;
    problem text;
    view_name text;
    owner name;
begin
    if current_setting('standin.rebinding', true) = 'on' or not exists (select 1 from standin.late_view) then
        return;
    end if;
    perform set_config('standin.rebinding', 'on', true);
    delete from standin.late_view as l where not exists (select 1 from pg_class where oid = l.view_oid);
    for late in
        select l.* from standin.late_view as l
        where l.broken is not null or exists (
            select 1 from standin.late_reference as r
            where r.view_oid = l.view_oid
                and to_regclass(quote_ident(r.schema_name) || '.' || quote_ident(r.relation_name))::oid
                    is distinct from r.relation_oid
                and to_regclass(quote_ident(r.schema_name) || '.' || quote_ident(r.relation_name)) is not null
        ) or exists (
            select 1 from standin.late_reference as r
            join pg_event_trigger_ddl_commands() as c on c.objid = r.relation_oid
            where r.view_oid = l.view_oid and c.command_tag = 'ALTER TABLE'
        )
    loop
        select quote_ident(n.nspname) || '.' || quote_ident(c.relname), pg_get_userbyid(c.relowner)
        into view_name, owner
        from pg_class as c join pg_namespace as n on n.oid = c.relnamespace where c.oid = late.view_oid;
        problem := standin.bind_late_view(view_name, late.columns, late.query);
        if problem is null then
            execute format('alter view %s owner to %I', view_name, owner);
            delete from standin.late_view where view_oid = late.view_oid;
            perform standin.settle_late_view(to_regclass(view_name), late.columns, late.query, null);
        end if;
    end loop;
    perform set_config('standin.rebinding', 'off', true);
end$$;
create event trigger standin_late_views on ddl_command_end
    when tag in ('CREATE TABLE', 'CREATE TABLE AS', 'CREATE VIEW', 'ALTER TABLE', 'ALTER VIEW', 'SELECT INTO')
    execute function standin.rebind_late_views();

-- materialized views ------------------------------------------------------------------------------------------------

create function standin.storage_name(view_name text) returns text language sql stable as $$
    select case when array_length(parts, 1) > 1 then quote_ident(parts[1]) || '.' else '' end
        || quote_ident('mv_tbl__' || parts[array_length(parts, 1)] || '__0')
    from (select parse_ident(view_name) as parts) as named$$;

create function standin.create_materialized(view_name text, query text, definition text, auto boolean)
returns void language plpgsql as $$
declare
    storage text := standin.storage_name(view_name);
    storage_id oid;
    view_id oid;
begin
    execute format('create table %s as %s', storage, query);
    perform standin.settle_types(storage);
    execute format('create view %s as select * from %s', view_name, storage);
    storage_id := to_regclass(storage);
    view_id := to_regclass(view_name);
    insert into standin.materialized
    values (view_id, storage_id, query, definition, auto, statement_timestamp()::timestamp);
    execute format('create view pg_temp.standin_probe as %s', query);
    perform standin.depend_on_query(view_id, 'pg_temp.standin_probe'::regclass);
    drop view pg_temp.standin_probe;
end$$;

-- A materialized view stands or falls with the relations of its query.
create function standin.depend_on_query(view_id oid, probe oid) returns void
language plpgsql security definer set search_path = pg_catalog as $$
begin
    insert into pg_depend
    select distinct 'pg_class'::regclass, view_id, 0, 'pg_class'::regclass, d.refobjid, 0, 'n'::"char"
    from pg_rewrite r
    join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
        and d.refclassid = 'pg_class'::regclass and d.deptype = 'n'
    where r.ev_class = probe and d.refobjid >= 16384 and d.refobjid <> probe;
end$$;

-- The rows of a materialized view go with it. (A dependency would say the same, but in a circle, and dbt follows it.)
create function standin.drop_storage() returns event_trigger language plpgsql as $$
declare
    gone record;
begin
    for gone in
        delete from standin.materialized as m using pg_event_trigger_dropped_objects() as d
        where d.classid = 'pg_class'::regclass and d.objid = m.view_oid
        returning m.storage_oid
    loop
        if exists (select 1 from pg_class where oid = gone.storage_oid) then
            execute format('drop table %s', gone.storage_oid::regclass);
        end if;
    end loop;
end$$;
create event trigger standin_materialized on sql_drop
    when tag in ('DROP VIEW', 'DROP TABLE', 'DROP SCHEMA', 'DROP OWNED') execute function standin.drop_storage();

create function standin.materialized_id(view_name text) returns oid language plpgsql stable as $$
declare
    id oid := to_regclass(view_name);
begin
    if id is null or not exists (select 1 from standin.materialized where view_oid = id) then
        raise exception 'materialized view "%" does not exist', view_name using errcode = '42P01';
    end if;
    return id;
end$$;

create function standin.storage_of(view_name text) returns text language sql stable
as 'select storage_oid::regclass::text from standin.materialized where view_oid = standin.materialized_id(view_name)';

create function standin.refresh_materialized(view_name text) returns void language plpgsql as $$
declare
    mv standin.materialized;
begin
    select * into mv from standin.materialized where view_oid = standin.materialized_id(view_name);
    execute format('delete from %s', mv.storage_oid::regclass);
    execute format('insert into %s %s', mv.storage_oid::regclass, mv.query);
    update standin.materialized set refreshed_at = statement_timestamp()::timestamp where view_oid = mv.view_oid;
end$$;

create function standin.drop_materialized(view_name text, missing_ok boolean, cascading boolean) returns void
language plpgsql as $$
begin
    if missing_ok and to_regclass(view_name) is null then
        return;
    end if;
    perform standin.materialized_id(view_name);
    execute format('drop view %s %s', view_name, case when cascading then 'cascade' else '' end);
end$$;

create function standin.set_auto_refresh(view_name text, auto boolean) returns void language sql as $$
    update standin.materialized set auto_refresh = auto where view_oid = standin.materialized_id(view_name)$$;

create function standin.check_plain_view(view_name text) returns void language plpgsql as $$
begin
    if exists (select 1 from standin.materialized where view_oid = to_regclass(view_name)) then
        raise exception '"%" is a materialized view; use DROP MATERIALIZED VIEW', view_name using errcode = '42809';
    end if;
end$$;
