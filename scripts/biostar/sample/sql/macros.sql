-- Whatever is drawn by lot comes from the MD5 of a text, never from hash() or random(), so that it stays the same
-- from one version of DuckDB, one machine and one number of threads to another.
create macro roll(t) as cast(md5_number_lower(t) % 1000000007 as bigint);
create macro pick(t, n) as roll(t) % n;
-- Low numbers come more often: what was frequent stays frequent.
create macro skewed(t, n) as cast(floor(n * power(roll(t) / 1000000007.0, 2)) as bigint);

create macro rekey(salt, id) as
    case when salt is null or id is null then id else cast(cast(md5(salt || id) as uuid) as varchar) end;

create macro in_cents(t) as cast(round(cast(t as decimal(38, 12)) * 100) as bigint);
create macro money(cents) as
    case when cents < 0 then '-' else '' end
    || (abs(cents) // 100) || '.' || lpad(cast(abs(cents) % 100 as varchar), 2, '0');
create macro percent_of(level) as case when level = 0 then 100 else 87 + level end;
create macro at_level(cents, level) as sign(cents) * ((abs(cents) * percent_of(level) + 50) // 100);

create macro epoch_day(t) as cast(date_diff('day', date '1970-01-01', cast(left(t, 10) as date)) as integer);
create macro later(t) as
    strftime(cast(replace(replace(t, 'T', ' '), 'Z', '') as timestamp) + interval 15 minute, '%Y-%m-%dT%H:%M:%SZ');
create macro near(degree, lot, spread) as
    cast(cast(
        cast(degree as decimal(12, 6)) + (pick(lot, 2 * spread + 1) - spread) / 100000.0 as decimal(9, 6)
    ) as varchar);

create macro stem(t) as regexp_replace(t, '[0-9]+$', '');
create macro county_fips(county) as
    '25' || case county
        when 'Barnstable County' then '001' when 'Berkshire County' then '003' when 'Bristol County' then '005'
        when 'Dukes County' then '007' when 'Essex County' then '009' when 'Franklin County' then '011'
        when 'Hampden County' then '013' when 'Hampshire County' then '015' when 'Middlesex County' then '017'
        when 'Nantucket County' then '019' when 'Norfolk County' then '021' when 'Plymouth County' then '023'
        when 'Suffolk County' then '025' when 'Worcester County' then '027'
    end;
