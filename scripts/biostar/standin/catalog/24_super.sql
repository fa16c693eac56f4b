-- SUPER: https://docs.aws.amazon.com/redshift/latest/dg/c_Type_Info_Functions.html, c_Array_Functions.html,
-- JSON_SERIALIZE.html. A SUPER value is held as jsonb: attributes stand in jsonb's order, and a number that was a float
-- is not told from a decimal, so the functions that tell them apart are not here.

-- jsonb's text without the blanks between its parts; a text within is one match, and stays.
create function pg_catalog.json_serialize(jsonb) returns varchar language sql immutable strict
as $$select regexp_replace($1::text, $re$("(?:[^"\\]|\\.)*")|\s+$re$, $re$\1$re$, 'g'::text)::varchar$$;
create function pg_catalog.json_serialize_to_varbyte(jsonb) returns bytea language sql immutable strict
as $$select convert_to(pg_catalog.json_serialize($1), 'UTF8')$$;
create function pg_catalog.json_size(jsonb) returns integer language sql immutable strict
as 'select octet_length(pg_catalog.json_serialize($1))';
create function pg_catalog.json_typeof(jsonb) returns varchar language sql immutable strict
as 'select jsonb_typeof($1)::varchar';

create function pg_catalog.super_array(variadic "any") returns standin.super language internal stable
as 'jsonb_build_array';
create function pg_catalog.super_array() returns standin.super language sql immutable as $$select '[]'::jsonb$$;
create function pg_catalog.super_object(variadic "any") returns standin.super language internal stable
as 'jsonb_build_object';
create function pg_catalog.super_object() returns standin.super language sql immutable as $$select '{}'::jsonb$$;

create function pg_catalog.get_array_length(jsonb) returns bigint language sql immutable strict
as $$select case when jsonb_typeof($1) = 'array' then jsonb_array_length($1) end::bigint$$;
create function pg_catalog.array_concat(jsonb, jsonb) returns standin.super language plpgsql immutable strict as $$
begin
    if jsonb_typeof($1) <> 'array' or jsonb_typeof($2) <> 'array' then
        raise exception 'ARRAY_CONCAT takes arrays' using errcode = '22023';
    end if;
    return $1 || $2;
end$$;
create function pg_catalog.array_flatten(variadic jsonb[]) returns standin.super language sql immutable as $$
    select coalesce(jsonb_agg(e order by a, m, k), '[]')
    from unnest($1) with ordinality as arguments(v, a)
    cross join lateral jsonb_array_elements(v) with ordinality as members(x, m)
    cross join lateral jsonb_array_elements(case when jsonb_typeof(x) = 'array' then x else jsonb_build_array(x) end)
        with ordinality as elements(e, k)$$;
create function pg_catalog.subarray(value jsonb, start integer, size integer) returns standin.super
language sql immutable strict as $$
    select coalesce(jsonb_agg(e order by n) filter (
        where n > case when start < 0 then jsonb_array_length(value) + start else start end
            and n <= case when start < 0 then jsonb_array_length(value) + start else start end + size
    ), '[]')
    from jsonb_array_elements(value) with ordinality as t(e, n)$$;
create function pg_catalog.split_to_array(value text, delimiter text default ',') returns standin.super
language sql immutable strict as 'select to_jsonb(string_to_array(value, delimiter))';

-- The first of equal elements stays where it is; Redshift promises no order.
create function pg_catalog.array_distinct(jsonb) returns standin.super language sql immutable strict as $$
    select coalesce(jsonb_agg(e order by n), '[]')
    from (select e, min(n) as n from jsonb_array_elements($1) with ordinality as t(e, n) group by e) as u$$;
create function pg_catalog.array_union(jsonb, jsonb) returns standin.super language sql immutable strict
as 'select pg_catalog.array_distinct($1 || $2)';
create function pg_catalog.array_intersection(jsonb, jsonb, single boolean default false) returns standin.super
language sql immutable strict as $$
    select coalesce(jsonb_agg(a.e order by a.n), '[]')
    from (
        select e, n, row_number() over (partition by e order by n) as k
        from jsonb_array_elements($1) with ordinality as t(e, n)
    ) as a
    join (select e, count(*) as k from jsonb_array_elements($2) as t(e) group by e) as b
        on a.e = b.e and a.k <= case when single then 1 else b.k end$$;

-- A search: with `null_match` a null finds nulls; without it, the answer is unknown where a null plays a part.
create function standin.places(value jsonb, sought jsonb, null_match boolean) returns integer[]
language sql immutable as $$
    select case
        when value is null or (sought is null and not null_match) then null
        when not null_match and not bool_or(e = sought) and bool_or(e = 'null') then null
        else coalesce(array_agg((n - 1)::integer order by n) filter (where e = coalesce(sought, 'null')), '{}')
    end
    from jsonb_array_elements(value) with ordinality as t(e, n)$$;
do $do$
declare
    kind text;
    sought text;
begin
    foreach kind in array array['jsonb', 'text', 'numeric', 'boolean'] loop
        sought := case kind when 'jsonb' then '$2' else 'to_jsonb($2)' end;
        execute format(
            'create function pg_catalog.array_contains(jsonb, %s, boolean default true) returns boolean language sql '
            || 'immutable as $f$select cardinality(standin.places($1, %s, $3)) > 0$f$', kind, sought
        );
        execute format(
            'create function pg_catalog.array_position(jsonb, %s, boolean default true) returns integer language sql '
            || 'immutable as $f$select case when p is not null then coalesce(p[1], -1) end '
            || 'from (select standin.places($1, %s, $3) as p) as t$f$', kind, sought
        );
        execute format(
            'create function pg_catalog.array_positions(jsonb, %s, boolean default true) returns standin.super '
            || 'language sql immutable as $f$select to_jsonb(standin.places($1, %s, $3))$f$', kind, sought
        );
    end loop;
end$do$;

create function pg_catalog.is_array(jsonb) returns boolean language sql immutable
as $$select coalesce(jsonb_typeof($1) = 'array', false)$$;
create function pg_catalog.is_object(jsonb) returns boolean language sql immutable
as $$select coalesce(jsonb_typeof($1) = 'object', false)$$;
create function pg_catalog.is_scalar(jsonb) returns boolean language sql immutable
as $$select coalesce(jsonb_typeof($1) in ('string', 'number', 'boolean'), false)$$;
create function pg_catalog.is_boolean(jsonb) returns boolean language sql immutable
as $$select coalesce(jsonb_typeof($1) = 'boolean', false)$$;
create function pg_catalog.is_varchar(jsonb) returns boolean language sql immutable
as $$select coalesce(jsonb_typeof($1) = 'string', false)$$;
create function standin.whole_within(value jsonb, size numeric) returns boolean language sql immutable as $$
    select coalesce(case
        when jsonb_typeof(value) = 'number'
            then scale(value::text::numeric) = 0 and value::text::numeric between -size and size - 1
    end, false)$$;
create function pg_catalog.is_smallint(jsonb) returns boolean language sql immutable
as 'select standin.whole_within($1, 32768)';
create function pg_catalog.is_integer(jsonb) returns boolean language sql immutable
as 'select standin.whole_within($1, 2147483648)';
create function pg_catalog.is_bigint(jsonb) returns boolean language sql immutable
as 'select standin.whole_within($1, 9223372036854775808)';

create function pg_catalog.get_number_attributes(jsonb) returns integer language sql immutable strict as $$
    select case when jsonb_typeof($1) = 'object' then (select count(*)::integer from jsonb_object_keys($1)) end$$;
