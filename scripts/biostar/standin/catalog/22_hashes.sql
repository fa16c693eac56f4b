-- Hashes. Each one is checked in the tests with the manual's own examples.

-- Of 32 bits: rotated to the left, and multiplied without regard to what goes over. All of Postgres's bit operators
-- bind alike, so each pair stands in brackets.
create function standin.rotate(bigint, integer) returns bigint language sql immutable strict
as 'select (($1 << $2) | ($1 >> (32 - $2))) & 4294967295';
create function standin.times(bigint, bigint) returns bigint language sql immutable strict
as 'select (($1 & 65535) * $2 + (((($1 >> 16) * $2) & 65535) << 16)) & 4294967295';

-- FNV-1a over 64 bits, in two halves, since Postgres's integers don't wrap round: the prime is 2^40 + 435.
-- https://docs.aws.amazon.com/redshift/latest/dg/r_FNV_HASH.html
create function standin.fnv(value bytea, seed bigint) returns bigint language plpgsql immutable strict as $$
declare
    high bigint := (seed >> 32) & 4294967295;
    low bigint := seed & 4294967295;
begin
    for place in 0..octet_length(value) - 1 loop
        low := low # get_byte(value, place);
        high := (high * 435 + ((low * 435) >> 32) + (low << 8)) & 4294967295;
        low := (low * 435) & 4294967295;
    end loop;
    return (high << 32) | low;
end$$;
-- The bytes of a number as the machine holds them, least significant first.
create function standin.turned(value bytea) returns bytea language sql immutable strict as $$
    select string_agg(substr(value, place, 1), '' order by place desc)
    from generate_series(1, octet_length(value)) as t(place)$$;

do $do$
declare
    kind text;
    bytes text;
    seed text := '-3750763034362895579';
begin
    foreach kind in array array['text', 'smallint', 'integer', 'bigint', 'boolean', 'real', 'double precision',
        'date', 'timestamp', 'bytea'] loop
        bytes := case kind
            when 'text' then 'convert_to($1, ''UTF8'')'
            when 'bytea' then '$1'
            when 'boolean' then 'case when $1 then decode(''01'', ''hex'') else decode(''00'', ''hex'') end'
            when 'smallint' then 'standin.turned(int2send($1))'
            when 'integer' then 'standin.turned(int4send($1))'
            when 'bigint' then 'standin.turned(int8send($1))'
            when 'real' then 'standin.turned(float4send($1))'
            when 'double precision' then 'standin.turned(float8send($1))'
            when 'date' then 'standin.turned(date_send($1))'
            when 'timestamp' then 'standin.turned(timestamp_send($1))'
        end;
        execute format(
            'create function pg_catalog.fnv_hash(%s, bigint default %s) returns bigint language sql immutable strict '
            || 'as $f$select standin.fnv(%s, $2)$f$', kind, seed, bytes
        );
    end loop;
end$do$;

-- https://docs.aws.amazon.com/redshift/latest/dg/crc32-function.html: the polynomial of CRC-32C
create function pg_catalog.crc32(value text) returns varchar language plpgsql immutable strict as $$
declare
    raw bytea := convert_to(value, 'UTF8');
    sum bigint := 4294967295;
begin
    for place in 0..octet_length(raw) - 1 loop
        sum := sum # get_byte(raw, place);
        for step in 1..8 loop
            sum := (sum >> 1) # (2197175160 * (sum & 1));
        end loop;
    end loop;
    return lpad(to_hex(sum # 4294967295), 8, '0');
end$$;

-- https://docs.aws.amazon.com/redshift/latest/dg/SHA1.html
create function pg_catalog.sha1(value text) returns varchar language plpgsql immutable strict as $$
declare
    raw bytea := convert_to(value, 'UTF8');
    size bigint := octet_length(raw);
    h bigint[] := array[1732584193, 4023233417, 2562383102, 271733878, 3285377520];
    w bigint[];
    a bigint; b bigint; c bigint; d bigint; e bigint; f bigint; k bigint; mixed bigint;
    at integer;
begin
    raw := raw || decode('80', 'hex') || decode(repeat('00', ((119 - size % 64) % 64)::integer), 'hex')
        || int8send(size * 8);
    for block in 0..octet_length(raw) / 64 - 1 loop
        w := '{}';
        for i in 0..79 loop
            if i < 16 then
                at := block * 64 + i * 4;
                w := w || (get_byte(raw, at)::bigint * 16777216 + get_byte(raw, at + 1) * 65536
                    + get_byte(raw, at + 2) * 256 + get_byte(raw, at + 3));
            else
                w := w || standin.rotate(w[i - 2] # w[i - 7] # w[i - 13] # w[i - 15], 1);
            end if;
        end loop;
        a := h[1]; b := h[2]; c := h[3]; d := h[4]; e := h[5];
        for i in 0..79 loop
            if i < 20 then
                f := (b & c) | ((b # 4294967295) & d); k := 1518500249;
            elsif i < 40 then
                f := b # c # d; k := 1859775393;
            elsif i < 60 then
                f := (b & c) | (b & d) | (c & d); k := 2400959708;
            else
                f := b # c # d; k := 3395469782;
            end if;
            mixed := (standin.rotate(a, 5) + f + e + k + w[i + 1]) & 4294967295;
            e := d; d := c; c := standin.rotate(b, 30); b := a; a := mixed;
        end loop;
        h := array[h[1] + a, h[2] + b, h[3] + c, h[4] + d, h[5] + e];
        h := array[h[1] & 4294967295, h[2] & 4294967295, h[3] & 4294967295, h[4] & 4294967295, h[5] & 4294967295];
    end loop;
    return (select string_agg(lpad(to_hex(word), 8, '0'), '' order by place)
        from unnest(h) with ordinality as t(word, place));
end$$;
create function pg_catalog.func_sha1(text) returns varchar language sql immutable strict as 'select pg_catalog.sha1($1)';
create function pg_catalog.sha(text) returns varchar language sql immutable strict as 'select pg_catalog.sha1($1)';

-- https://docs.aws.amazon.com/redshift/latest/dg/SHA2.html: 0 bits are 256, and other numbers give an empty text
create function pg_catalog.sha2(text, integer) returns varchar language sql immutable strict as $$
    select case
        when $2 = 224 then encode(sha224(convert_to($1, 'UTF8')), 'hex')
        when $2 in (0, 256) then encode(sha256(convert_to($1, 'UTF8')), 'hex')
        when $2 = 384 then encode(sha384(convert_to($1, 'UTF8')), 'hex')
        when $2 = 512 then encode(sha512(convert_to($1, 'UTF8')), 'hex')
        else ''
    end$$;

-- https://docs.aws.amazon.com/redshift/latest/dg/MURMUR3_32_HASH.html: the bytes are those that Apache Iceberg's
-- specification says (https://iceberg.apache.org/spec/#appendix-b-32-bit-hash-requirements)
create function standin.murmur(value bytea, seed integer) returns integer language plpgsql immutable strict as $$
declare
    size integer := octet_length(value);
    h bigint := seed::bigint & 4294967295;
    k bigint;
    at integer;
begin
    for block in 0..size / 4 - 1 loop
        at := block * 4;
        k := get_byte(value, at) + get_byte(value, at + 1) * 256 + get_byte(value, at + 2) * 65536
            + get_byte(value, at + 3)::bigint * 16777216;
        h := h # standin.times(standin.rotate(standin.times(k, 3432918353), 15), 461845907);
        h := (standin.rotate(h, 13) * 5 + 3864292196) & 4294967295;
    end loop;
    k := 0;
    for place in reverse size % 4 - 1..0 loop
        k := k * 256 + get_byte(value, size / 4 * 4 + place);
    end loop;
    h := h # standin.times(standin.rotate(standin.times(k, 3432918353), 15), 461845907) # size;
    h := standin.times(h # (h >> 16), 2246822507);
    h := standin.times(h # (h >> 13), 3266489909);
    h := h # (h >> 16);
    return (case when h > 2147483647 then h - 4294967296 else h end)::integer;
end$$;

-- The shortest big-endian two's complement of a number without its point, as Iceberg stores decimals.
create function standin.shortest(value numeric) returns bytea language plpgsql immutable strict as $$
declare
    rest numeric := trunc(value * power(10::numeric, scale(value)));
    raw bytea := '';
    low integer;
begin
    loop
        low := mod(mod(rest, 256) + 256, 256)::integer;
        raw := decode(lpad(to_hex(low), 2, '0'), 'hex') || raw;
        rest := div(rest - low, 256);
        exit when (rest = 0 and low < 128) or (rest = -1 and low >= 128);
    end loop;
    return raw;
end$$;
do $do$
declare
    kind text;
    bytes text;
begin
    foreach kind in array array['text', 'smallint', 'integer', 'bigint', 'numeric', 'date', 'timestamp', 'timestamptz',
        'bytea'] loop
        bytes := case kind
            when 'text' then 'convert_to($1, ''UTF8'')'
            when 'bytea' then '$1'
            when 'numeric' then 'standin.shortest($1)'
            when 'date' then 'standin.turned(int8send(($1 - date ''1970-01-01'')::bigint))'
            when 'timestamp' then 'standin.turned(int8send((extract(epoch from $1) * 1000000)::bigint))'
            when 'timestamptz' then 'standin.turned(int8send((extract(epoch from $1) * 1000000)::bigint))'
            else 'standin.turned(int8send($1::bigint))'
        end;
        execute format(
            'create function pg_catalog.murmur3_32_hash(%s, integer default 0) returns integer language sql '
            || 'immutable strict as $f$select standin.murmur(%s, $2)$f$', kind, bytes
        );
    end loop;
end$do$;
