-- Functions of texts and bytes that Postgres lacks.

-- https://docs.aws.amazon.com/redshift/latest/dg/r_BPCHARCMP.html: by bytes, and -1, 0 or 1. (The rewriting calls it.)
create function standin.compare_bytes(text, text) returns integer language sql immutable strict as $$
    select case
        when convert_to(rtrim($1, ' '), 'UTF8') < convert_to(rtrim($2, ' '), 'UTF8') then -1
        when convert_to(rtrim($1, ' '), 'UTF8') > convert_to(rtrim($2, ' '), 'UTF8') then 1
        else 0
    end$$;

create function pg_catalog.replicate(text, integer) returns varchar language sql immutable strict
as 'select repeat($1, $2)::varchar';

-- https://docs.aws.amazon.com/redshift/latest/dg/OCTETINDEX.html
create function pg_catalog.octetindex(text, text) returns integer language sql immutable strict
as $$select position(convert_to($1, 'UTF8') in convert_to($2, 'UTF8'))$$;

-- https://docs.aws.amazon.com/redshift/latest/dg/SOUNDEX.html: letters of the alphabet only; H and W part nothing.
create function pg_catalog.soundex(value text) returns varchar language plpgsql immutable strict as $$
declare
    letters text := regexp_replace(upper(value), '[^A-Z]', '', 'g'::text);
    codes text := translate(letters, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', '01230120022455012623010202');
    code text;
    before text := left(codes, 1);
    found text := left(letters, 1);
begin
    if letters = '' then
        return '';
    end if;
    for place in 2..length(letters) loop
        continue when substr(letters, place, 1) in ('H', 'W');
        code := substr(codes, place, 1);
        if code <> '0' and code <> before then
            found := found || code;
        end if;
        before := code;
    end loop;
    return rpad(left(found, 4), 4, '0');
end$$;
-- https://docs.aws.amazon.com/redshift/latest/dg/DIFFERENCE.html
create function pg_catalog.difference(a text, b text) returns integer language sql immutable strict as $$
    select case
        when pg_catalog.soundex(a) = '' and pg_catalog.soundex(b) = '' then 1
        when pg_catalog.soundex(a) = '' or pg_catalog.soundex(b) = '' then 0
        else (
            select count(*)::integer from generate_series(1, 4) as t(n)
            where substr(pg_catalog.soundex(a), n, 1) = substr(pg_catalog.soundex(b), n, 1)
        )
    end$$;

-- VARBYTE: https://docs.aws.amazon.com/redshift/latest/dg/varbyte-functions.html, r_VARBYTE_type.html. A cast between
-- texts and bytes goes by UTF-8.
create function standin.bytes_of(text) returns bytea language sql immutable strict
as $$select convert_to($1, 'UTF8')$$;
create function standin.text_of(bytea) returns text language sql immutable strict
as $$select convert_from($1, 'UTF8')$$;
create function standin.varchar_of(bytea) returns varchar language sql immutable strict
as $$select convert_from($1, 'UTF8')::varchar$$;
create cast (text as bytea) with function standin.bytes_of(text);
create cast (varchar as bytea) with function standin.bytes_of(text);
create cast (bytea as text) with function standin.text_of(bytea);
create cast (bytea as varchar) with function standin.varchar_of(bytea);

create function pg_catalog.from_hex(text) returns bytea language sql immutable strict
as $$select decode(case when length($1) % 2 = 1 then '0' else '' end || $1, 'hex')$$;
create function pg_catalog.to_hex(bytea) returns varchar language sql immutable strict
as $$select encode($1, 'hex')::varchar$$;
create function pg_catalog.to_varbyte(value text, format text) returns bytea language plpgsql immutable strict as $$
declare
    bits text;
begin
    if lower(format) = 'hex' then
        return pg_catalog.from_hex(value);
    elsif lower(format) in ('utf8', 'utf-8') then
        return convert_to(value, 'UTF8');
    elsif lower(format) = 'binary' and value ~ '^[01]*$' then
        bits := repeat('0', (8 - length(value) % 8) % 8) || value;
        return decode(coalesce((
            select string_agg(lpad(to_hex(substr(bits, n * 8 + 1, 8)::bit(8)::integer), 2, '0'), '' order by n)
            from generate_series(0, length(bits) / 8 - 1) as t(n)
        ), ''), 'hex');
    end if;
    raise exception 'invalid format or value for to_varbyte' using errcode = '22023';
end$$;
create function pg_catalog.from_varbyte(value bytea, format text) returns varchar
language plpgsql immutable strict as $$
begin
    if lower(format) = 'hex' then
        return encode(value, 'hex');
    elsif lower(format) in ('utf8', 'utf-8') then
        return convert_from(value, 'UTF8');
    elsif lower(format) = 'binary' then
        return coalesce((
            select string_agg(get_byte(value, n)::bit(8)::text, '' order by n)
            from generate_series(0, octet_length(value) - 1) as t(n)
        ), '');
    end if;
    raise exception 'invalid format for from_varbyte' using errcode = '22023';
end$$;
create function pg_catalog.getbit(value bytea, place integer) returns integer language sql immutable strict
as 'select (get_byte(value, octet_length(value) - 1 - place / 8) >> (place % 8)) & 1';
create function pg_catalog.concat(bytea, bytea) returns bytea language sql immutable strict as 'select $1 || $2';

-- Answers about the session that don't depend on a cluster.
create function pg_catalog.db_collation() returns varchar language sql immutable as $$select 'case_sensitive'::varchar$$;
create function pg_catalog.user_is_member_of(text, text) returns boolean language sql stable strict
as $$select pg_has_role($1::name, $2::name, 'member')$$;
create function pg_catalog.role_is_member_of(text, text) returns boolean language sql stable strict
as $$select pg_has_role($1::name, $2::name, 'member')$$;
