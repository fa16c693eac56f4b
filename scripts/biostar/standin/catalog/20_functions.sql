-- Functions of Redshift that Postgres lacks, and those that it has with another meaning. The latter keep their body
-- under a name of ours, so that Postgres's own views, which hold them by number, go on working.

create function standin.nothing() returns void language sql as 'select null::void';

create function standin.explain(query text) returns setof text language plpgsql as $$
begin
    return next 'Not a plan of Amazon Redshift: how the stand-in''s embedded Postgres would run its own form of it';
    return query execute 'explain (costs off) ' || query;
end$$;
create function standin.check_one_match(matches bigint) returns void language plpgsql as $$
begin
    if matches > 1 then
        raise exception 'Found multiple matches to update the same tuple.' using errcode = '21000';
    end if;
end$$;

-- text --------------------------------------------------------------------------------------------------------------

-- The length of a type counts bytes. An explicit cast cuts at a whole character; anything else is an error, unless
-- only blanks are lost.
create function standin.fit_bytes(value text, size integer) returns text
language plpgsql immutable strict as $$
declare
    cut text := left(value, size);
begin
    while octet_length(cut) > size loop
        cut := left(cut, length(cut) - greatest(1, (octet_length(cut) - size) / 4));
    end loop;
    return cut;
end$$;

create function standin.cut_varchar(value varchar, size integer, explicit boolean) returns varchar
language plpgsql immutable strict as $$
begin
    if explicit or octet_length(rtrim(value, ' ')) <= size then
        return standin.fit_bytes(value, size);
    end if;
    raise exception 'value too long for type character varying(%)', size
        using errcode = '22001';
end$$;

-- Postgres writes this into the statement itself, so that a text that fits costs no call; COPY and INSERT of wide tables
-- would spend most of their time on them.
create function standin.fit_varchar(value varchar, typmod integer, explicit boolean) returns varchar
language sql immutable
as 'select case when octet_length($1) > $2 - 4 then standin.cut_varchar($1, $2 - 4, $3) else $1 end';

create function standin.fit_char(value bpchar, typmod integer, explicit boolean) returns bpchar
language plpgsql immutable strict as $$
declare
    trimmed text := rtrim(value::text, ' ');
begin
    if octet_length(trimmed) > typmod - 4 then
        if not explicit then
            raise exception 'value too long for type character(%)', typmod - 4 using errcode = '22001';
        end if;
        trimmed := standin.fit_bytes(trimmed, typmod - 4);
    end if;
    return rpad(trimmed, typmod - 4 - octet_length(trimmed) + length(trimmed), ' ')::bpchar;
end$$;

update pg_cast set castfunc = 'standin.fit_varchar(varchar, integer, boolean)'::regprocedure
where castsource = 'varchar'::regtype and casttarget = 'varchar'::regtype;
update pg_cast set castfunc = 'standin.fit_char(bpchar, integer, boolean)'::regprocedure
where castsource = 'bpchar'::regtype and casttarget = 'bpchar'::regtype;

alter function pg_catalog.concat("any") rename to postgres_concat;
create function pg_catalog.concat(text, text) returns text language sql immutable strict as 'select $1 || $2';

alter function pg_catalog.version() rename to postgres_version;
create function pg_catalog.version() returns text language sql stable as $$
    select 'PostgreSQL 8.0.2 on x86_64-pc-linux-gnu, compiled by GCC, Redshift stand-in (not Amazon Redshift)'::text$$;

create function pg_catalog.charindex(text, text) returns integer language sql immutable strict
as 'select strpos($2, $1)';

alter function pg_catalog.regexp_replace(text, text, text) rename to postgres_regexp_replace;
create function pg_catalog.regexp_replace(text, text, text) returns text language sql immutable strict
as $$select pg_catalog.regexp_replace($1, $2, $3, 'g'::text)$$;
create function pg_catalog.regexp_replace(text, text) returns text language sql immutable strict
as $$select pg_catalog.regexp_replace($1, $2, '', 'g'::text)$$;

alter function pg_catalog.regexp_substr(text, text) rename to postgres_regexp_substr;
alter function pg_catalog.regexp_substr(text, text, integer) rename to postgres_regexp_substr;
alter function pg_catalog.regexp_substr(text, text, integer, integer) rename to postgres_regexp_substr;
create function pg_catalog.regexp_substr(text, text, integer default 1, integer default 1) returns text
language sql immutable strict
as $$select coalesce(pg_catalog.postgres_regexp_substr($1, $2, $3, $4), '')$$;

create function pg_catalog.strtol(value text, base integer) returns bigint language plpgsql immutable strict as $$
declare
    digits text := lower(ltrim(value, ' '));
    negative boolean := left(digits, 1) = '-';
    result numeric := 0;
    digit integer;
begin
    if base = 16 and length(digits) between 1 and 15 and digits ~ '^[0-9a-f]+$' then
        return ('x' || lpad(digits, 16, '0'))::bit(64)::bigint;
    end if;
    if base not between 2 and 36 then
        raise exception 'base % is not between 2 and 36', base using errcode = '22023';
    end if;
    digits := ltrim(digits, '+-');
    if base = 16 and left(digits, 2) = '0x' then
        digits := substr(digits, 3);
    end if;
    for place in 1..length(digits) loop
        digit := strpos('0123456789abcdefghijklmnopqrstuvwxyz', substr(digits, place, 1)) - 1;
        if digit < 0 or digit >= base then
            raise exception 'The input % is not valid to be converted to base %', value, base using errcode = '22023';
        end if;
        result := result * base + digit;
    end loop;
    if result > 9223372036854775807 then
        raise exception 'The input % is not valid to be converted to base %', value, base using errcode = '22023';
    end if;
    return case when negative then -result else result end::bigint;
end$$;

-- numbers -----------------------------------------------------------------------------------------------------------

-- TRY_CAST: what Redshift reads as a number or a date; Postgres alone would take more (hexadecimal, 'now', NaN).
do $do$
begin
    if exists (select 1 from pg_proc where proname = 'pg_input_is_valid') then
        create function standin.is_valid(text, text) returns boolean language sql immutable strict
        as 'select pg_input_is_valid($1, $2)';
    else
        create function standin.is_valid(value text, kind text) returns boolean language plpgsql immutable strict as $$
        begin
            execute format('select cast(%L as %s)', value, kind);
            return true;
        exception when others then
            return false;
        end$$;
    end if;
end$do$;
create function standin.can_be_integer(value text, kind text) returns boolean language plpgsql immutable strict as $$
begin
    return value ~ '^ *[+-]?[0-9]+ *$' and standin.is_valid(value, kind);
end$$;
create function standin.can_be_numeric(value text, kind text) returns boolean language plpgsql immutable strict as $$
begin
    return value ~ '^ *[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)? *$' and standin.is_valid(value, kind);
end$$;
create function standin.can_be_date(value text, kind text) returns boolean language plpgsql immutable strict as $$
begin
    return value ~ '^ *[0-9]' and standin.is_valid(value, kind);
end$$;
create function standin.can_be_boolean(value text, kind text) returns boolean language plpgsql immutable strict as $$
begin
    return lower(trim(value)) in ('t', 'true', 'y', 'yes', '1', 'f', 'false', 'n', 'no', '0');
end$$;

-- dates and times ---------------------------------------------------------------------------------------------------

create function pg_catalog.getdate() returns timestamp language sql stable
as $$select date_trunc('second', statement_timestamp())::timestamp$$;
create function pg_catalog.sysdate() returns timestamp language sql stable as 'select now()::timestamp';

create function pg_catalog.date_trunc(text, date) returns timestamp language sql immutable strict
as 'select date_trunc($1, $2::timestamp)';

create function pg_catalog.dateadd(part text, n bigint, moment timestamp) returns timestamp
language sql immutable strict as $$
    select moment + case part
        when 'year' then make_interval(years => n::integer)
        when 'quarter' then make_interval(months => 3 * n::integer)
        when 'month' then make_interval(months => n::integer)
        when 'week' then make_interval(weeks => n::integer)
        when 'hour' then n * interval '1 hour'
        when 'minute' then n * interval '1 minute'
        when 'second' then n * interval '1 second'
        when 'millisecond' then n * interval '1 millisecond'
        when 'microsecond' then n * interval '1 microsecond'
        when 'decade' then make_interval(years => 10 * n::integer)
        when 'century' then make_interval(years => 100 * n::integer)
        when 'millennium' then make_interval(years => 1000 * n::integer)
        else make_interval(days => n::integer)
    end$$;
create function pg_catalog.dateadd(text, bigint, date) returns timestamp language sql immutable strict
as 'select pg_catalog.dateadd($1, $2, $3::timestamp)';
create function pg_catalog.dateadd(text, bigint, timestamptz) returns timestamptz language sql stable strict
as $$select pg_catalog.dateadd($1, $2, $3 at time zone 'UTC') at time zone 'UTC'$$;

-- The number of boundaries of the part that lie between the two moments.
create function pg_catalog.datediff(part text, a timestamp, b timestamp) returns bigint
language sql immutable strict as $$
    select case part
        when 'year' then extract(year from b) - extract(year from a)
        when 'quarter' then (extract(year from b) - extract(year from a)) * 4
            + extract(quarter from b) - extract(quarter from a)
        when 'month' then (extract(year from b) - extract(year from a)) * 12
            + extract(month from b) - extract(month from a)
        when 'week' then (date_trunc('week', b)::date - date_trunc('week', a)::date) / 7
        when 'day' then b::date - a::date
        when 'dow' then b::date - a::date
        when 'doy' then b::date - a::date
        when 'hour' then (extract(epoch from date_trunc('hour', b)) - extract(epoch from date_trunc('hour', a))) / 3600
        when 'minute'
            then (extract(epoch from date_trunc('minute', b)) - extract(epoch from date_trunc('minute', a))) / 60
        when 'second' then extract(epoch from date_trunc('second', b)) - extract(epoch from date_trunc('second', a))
        when 'epoch' then extract(epoch from date_trunc('second', b)) - extract(epoch from date_trunc('second', a))
        when 'millisecond' then trunc(extract(epoch from b) * 1000) - trunc(extract(epoch from a) * 1000)
        when 'microsecond' then (extract(epoch from b) - extract(epoch from a)) * 1000000
        when 'decade' then extract(decade from b) - extract(decade from a)
        when 'century' then extract(century from b) - extract(century from a)
        when 'millennium' then extract(millennium from b) - extract(millennium from a)
    end::bigint$$;
create function pg_catalog.datediff(part text, a date, b date) returns bigint language sql immutable strict
as 'select case part when ''day'' then (b - a)::bigint else pg_catalog.datediff(part, a::timestamp, b::timestamp) end';
create function pg_catalog.datediff(text, timestamptz, timestamptz) returns bigint language sql immutable strict
as $$select pg_catalog.datediff($1, $2 at time zone 'UTC', $3 at time zone 'UTC')$$;
create function pg_catalog.datediff(text, time, time) returns bigint language sql immutable strict
as $$select pg_catalog.datediff($1, '2000-01-01'::timestamp + $2, '2000-01-01'::timestamp + $3)$$;

-- EXTRACT of the smaller parts gives whole numbers; milliseconds and microseconds are those of the second.
create function pg_catalog.standin_extract(part text, moment timestamp) returns bigint
language sql immutable strict as $$
    select case part
        when 'epoch' then floor(extract(epoch from moment))
        when 'second' then floor(extract(second from moment))
        when 'millisecond' then floor(mod(extract(millisecond from moment), 1000))
        else floor(mod(extract(microsecond from moment), 1000000))
    end::bigint$$;
create function pg_catalog.standin_extract(text, date) returns bigint language sql immutable strict
as 'select pg_catalog.standin_extract($1, $2::timestamp)';
create function pg_catalog.standin_extract(part text, moment timestamptz) returns double precision
language sql stable strict as 'select date_part(part, moment)';
create function pg_catalog.standin_extract(text, time) returns bigint language sql immutable strict
as $$select pg_catalog.standin_extract($1, '2000-01-01'::timestamp + $2)$$;
create function pg_catalog.standin_extract(part text, span interval) returns bigint language sql immutable strict
as 'select floor(date_part(part, span))::bigint';

create function pg_catalog.convert_timezone(source text, target text, moment timestamp) returns timestamp
language sql immutable strict as 'select (moment at time zone source) at time zone target';
create function pg_catalog.convert_timezone(target text, moment timestamp) returns timestamp
language sql immutable strict as $$select (moment at time zone 'UTC') at time zone target$$;
create function pg_catalog.convert_timezone(target text, moment timestamptz) returns timestamp
language sql immutable strict as 'select moment at time zone target';

create function pg_catalog.trunc(timestamp) returns date language sql immutable strict as 'select $1::date';
create function pg_catalog.trunc(timestamptz) returns date language sql stable strict as 'select $1::date';
create function pg_catalog.last_day(timestamp) returns date language sql immutable strict
as $$select (date_trunc('month', $1) + interval '1 month' - interval '1 day')::date$$;
create function pg_catalog.last_day(date) returns date language sql immutable strict
as $$select (date_trunc('month', $1::timestamp) + interval '1 month' - interval '1 day')::date$$;
create function pg_catalog.add_months(moment timestamp, n bigint) returns timestamp language sql immutable strict as $$
    select case
        when moment::date = pg_catalog.last_day(moment)
            then pg_catalog.last_day(moment + make_interval(months => n::integer)) + (moment - date_trunc('day', moment))
        else moment + make_interval(months => n::integer)
    end$$;
create function pg_catalog.add_months(date, bigint) returns timestamp language sql immutable strict
as 'select pg_catalog.add_months($1::timestamp, $2)';
create function pg_catalog.months_between(a timestamp, b timestamp) returns double precision
language sql immutable strict as $$
    select case
        when extract(day from a) = extract(day from b)
            or (pg_catalog.last_day(a) = a::date and pg_catalog.last_day(b) = b::date)
            then pg_catalog.datediff('month', b, a)::double precision
        else pg_catalog.datediff('month', b, a) + (extract(day from a) - extract(day from b))::double precision / 31
    end$$;
create function pg_catalog.next_day(moment date, day_name text) returns date language sql immutable strict as $$
    select moment + 1 + mod(
        strpos('sumotuwethfrsa', left(lower(day_name), 2)) / 2 - extract(dow from moment)::integer + 6, 7
    )$$;
create function pg_catalog.to_date(text, text, boolean) returns date language sql stable strict
as 'select to_date($1, $2)';
create function pg_catalog.date_part_year(date) returns integer language sql immutable strict
as 'select extract(year from $1)::integer';

-- aggregates --------------------------------------------------------------------------------------------------------

alter aggregate pg_catalog.avg(smallint) rename to postgres_avg;
alter aggregate pg_catalog.avg(integer) rename to postgres_avg;
alter aggregate pg_catalog.avg(bigint) rename to postgres_avg;
alter aggregate pg_catalog.sum(bigint) rename to postgres_sum;

create function standin.mean(bigint[]) returns bigint language sql immutable strict
as 'select case when $1[1] > 0 then $1[2] / $1[1] end';
create function standin.add_to_mean(bigint[], bigint) returns bigint[] language sql immutable strict
as 'select array[$1[1] + 1, $1[2] + $2]';
create aggregate pg_catalog.avg(smallint)
    (sfunc = int2_avg_accum, stype = bigint[], initcond = '{0,0}', finalfunc = standin.mean);
create aggregate pg_catalog.avg(integer)
    (sfunc = int4_avg_accum, stype = bigint[], initcond = '{0,0}', finalfunc = standin.mean);
create aggregate pg_catalog.avg(bigint)
    (sfunc = standin.add_to_mean, stype = bigint[], initcond = '{0,0}', finalfunc = standin.mean);
create aggregate pg_catalog.sum(bigint) (sfunc = int8pl, stype = bigint);

-- The mean of decimals is cut at the scale of its argument, not rounded: 8.15 by 3 is 2.71 in the examples of
-- https://docs.aws.amazon.com/redshift/latest/dg/r_FROM_clause-pivot-unpivot-examples.html. The scale of the sum is the
-- largest of its parts. The aggregate keeps its number, by which the types of results are found.
create function standin.add_decimal(numeric[], numeric) returns numeric[] language sql immutable strict
as 'select array[$1[1] + 1, $1[2] + $2]';
create function standin.mean_decimal(numeric[]) returns numeric language sql immutable strict
as 'select case when $1[1] > 0 then trunc($1[2] / $1[1], scale($1[2])) end';
update pg_catalog.pg_aggregate set
    aggtransfn = 'standin.add_decimal'::regproc, aggfinalfn = 'standin.mean_decimal'::regproc,
    aggtranstype = 'numeric[]'::regtype, agginitval = '{0,0}', aggtransspace = 0,
    aggcombinefn = 0, aggserialfn = 0, aggdeserialfn = 0,
    aggmtransfn = 0, aggminvtransfn = 0, aggmfinalfn = 0, aggmtranstype = 0, aggmtransspace = 0
where aggfnoid = 'pg_catalog.avg(numeric)'::regprocedure;

-- Values in order; MEDIAN and the percentiles pick from them. A window computes them once for each partition.
create function standin.in_order(anycompatiblearray) returns anycompatiblearray language sql immutable strict
as 'select array(select v from unnest($1) as t(v) where v is not null order by v)';
create aggregate standin.ordered(anycompatible)
    (sfunc = array_append, stype = anycompatiblearray, initcond = '{}', finalfunc = standin.in_order);

-- https://docs.aws.amazon.com/redshift/latest/dg/r_WF_PERCENTILE_CONT.html: the row is 1 + share * (n - 1); between two
-- rows the value lies on the line between them. The types that come out: r_MEDIAN.html, r_WF_PERCENTILE_DISC.html.
do $do$
declare
    kind text;
    result text;
    value text;
begin
    foreach kind in array array['smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision', 'date',
        'timestamp', 'timestamptz'] loop
        result := case when kind in ('smallint', 'integer', 'bigint') then 'numeric'
            when kind = 'real' then 'double precision' else kind end;
        value := case
            when kind in ('date', 'timestamp', 'timestamptz')
                then '$1[low] + (($1[high] - $1[low])' || case kind when 'date' then '::integer' else '' end || ' * part)'
                || case kind when 'date' then '::integer' else '' end
            when result = 'numeric' then '(1 - part) * $1[low] + part * $1[high]'
            else '(1 - part::double precision) * $1[low] + part::double precision * $1[high]'
        end;
        if kind in ('timestamp', 'timestamptz') then
            value := replace(value, '* part', '* part::double precision');
        end if;
        execute format(
            'create function standin.percentile_cont(%s[], share numeric, down boolean) returns %s '
            || 'language sql immutable strict as $f$select %s from ('
            || '    select floor(at)::integer as low, ceil(at)::integer as high, at - floor(at) as part from ('
            || '        select 1 + (case when down then 1 - share else share end) * (cardinality($1) - 1) as at'
            || '    ) as p where cardinality($1) > 0) as q$f$', kind, result, value
        );
        execute format(
            'create function standin.middle(%s[]) returns %s language sql immutable strict '
            || 'as $f$select standin.percentile_cont(standin.in_order($1), 0.5, false)$f$', kind, result
        );
        execute format(
            'create aggregate pg_catalog.median(%s) '
            || '(sfunc = array_append, stype = %s[], initcond = ''{}'', finalfunc = standin.middle)', kind, kind
        );
    end loop;
end$do$;
-- The first value whose share of the rows up to it is not below the one asked for.
create function standin.percentile_disc(anyarray, share numeric, down boolean) returns anyelement
language sql immutable strict as $$
    select $1[case
        when down then cardinality($1) + 1 - greatest(1, ceil(share * cardinality($1)))
        else greatest(1, ceil(share * cardinality($1)))
    end::integer]$$;

-- LISTAGG leaves out nulls and empty texts, keeps the first of equal ones when DISTINCT, and has a limit:
-- https://docs.aws.amazon.com/redshift/latest/dg/r_WF_LISTAGG.html
create function standin.listed(text) returns text language sql immutable strict
as 'select case when octet_length($1) > 0 then $1 end';
create function standin.list_limit(value text) returns varchar language plpgsql immutable strict as $$
begin
    if octet_length(value) > 65535 then
        raise exception 'Result size exceeds LISTAGG limit' using errcode = '22001';
    end if;
    return value;
end$$;
create function standin.list_once(text[], text, text) returns text[] language sql immutable as $$
    select case
        when octet_length($2) > 0 and not coalesce($2 = any ($1[2:]), false) then array_append(
            case when cardinality($1) = 0 then array[coalesce($3, '')] else $1 end, $2
        )
        else $1
    end$$;
create function standin.list_of(text[]) returns text language sql immutable
as 'select array_to_string($1[2:], $1[1]) where cardinality($1) > 1';
create aggregate standin.list_distinct(text, text)
    (sfunc = standin.list_once, stype = text[], initcond = '{}', finalfunc = standin.list_of);

create function standin.newest(anyelement, anyelement) returns anyelement language sql immutable
as 'select coalesce($2, $1)';
create function standin.oldest(anyelement, anyelement) returns anyelement language sql immutable
as 'select coalesce($1, $2)';
create aggregate standin.last_known(anyelement) (sfunc = standin.newest, stype = anyelement);
create aggregate standin.first_known(anyelement) (sfunc = standin.oldest, stype = anyelement);

do $do$
begin
    if not exists (select 1 from pg_proc where proname = 'any_value') then
        create function standin.first_any(anyelement, anyelement) returns anyelement language sql immutable strict
        as 'select $1';
        create aggregate pg_catalog.any_value(anyelement) (sfunc = standin.first_any, stype = anyelement);
    end if;
end$do$;

-- JSON --------------------------------------------------------------------------------------------------------------

create function standin.json_or_null(value text) returns jsonb language plpgsql immutable strict as $$
begin
    return value::jsonb;
exception when others then
    return null;
end$$;
create function pg_catalog.is_valid_json(text) returns boolean language sql immutable strict
as $$select coalesce(jsonb_typeof(standin.json_or_null($1)) in ('object', 'array'), false)$$;
create function pg_catalog.is_valid_json_array(text) returns boolean language sql immutable strict
as $$select coalesce(jsonb_typeof(standin.json_or_null($1)) = 'array', false)$$;
create function standin.json_of(value text, lenient boolean) returns jsonb language plpgsql immutable strict as $$
begin
    return value::jsonb;
exception when others then
    if lenient then
        return null;
    end if;
    raise exception 'JSON parsing error' using errcode = 'XX000';
end$$;

alter function pg_catalog.json_extract_path_text(json, text[]) rename to postgres_json_extract_path_text;
create function standin.json_path(value text, lenient boolean, variadic path text[]) returns text
language sql immutable as $$select standin.json_of(value, lenient) #>> path$$;
do $do$
declare
    names text;
begin
    for depth in 1..5 loop
        select string_agg('$' || n, ', ') into names from generate_series(2, depth + 1) as t(n);
        execute format(
            'create function pg_catalog.json_extract_path_text(text%s) returns text language sql immutable '
            || 'as $f$select standin.json_path($1, false, %s)$f$', repeat(', text', depth), names
        );
        execute format(
            'create function pg_catalog.json_extract_path_text(text%s, boolean) returns text language sql immutable '
            || 'as $f$select standin.json_path($1, $%s, %s)$f$', repeat(', text', depth), depth + 2, names
        );
    end loop;
end$do$;
alter function pg_catalog.json_array_length(json) rename to postgres_json_array_length;
create function pg_catalog.json_array_length(text, boolean default false) returns integer
language sql immutable strict as 'select jsonb_array_length(standin.json_of($1, $2))';
create function pg_catalog.json_extract_array_element_text(text, integer, boolean default false) returns text
language sql immutable strict as 'select standin.json_of($1, $3) ->> $2';
create function pg_catalog.json_parse(text) returns standin.super language sql immutable strict
as 'select standin.json_of($1, false)::standin.super';
create function pg_catalog.can_json_parse(text) returns boolean language sql immutable strict
as 'select standin.json_or_null($1) is not null';
-- loads -------------------------------------------------------------------------------------------------------------

create function pg_catalog.pg_last_copy_id() returns bigint language sql stable
as $$select coalesce(nullif(current_setting('standin.last_copy_id', true), ''), '-1')::bigint$$;
create function pg_catalog.pg_last_copy_count() returns bigint language sql stable
as $$select coalesce(nullif(current_setting('standin.last_copy_count', true), ''), '0')::bigint$$;
create function pg_catalog.pg_last_unload_id() returns bigint language sql stable
as $$select coalesce(nullif(current_setting('standin.last_unload_id', true), ''), '-1')::bigint$$;
create function pg_catalog.pg_last_unload_count() returns bigint language sql stable
as $$select coalesce(nullif(current_setting('standin.last_unload_count', true), ''), '0')::bigint$$;
create function pg_catalog.current_user_id() returns integer language sql stable
as 'select usesysid::integer from pg_user where usename = current_user';
