-- One row per patient of the sample. A null salt marks the 27 real ones, which stay as they are.
create table real_patients as
select id, cast(file_row - 1 as integer) as p, epoch_day(birthdate) as birth_day from src_patients;

create table clones as
with numbered as (
    select
        cast(range as integer) as i,
        cast(range % 27 as integer) as p,
        case when range >= 27 then '{seed}|' || range || '|' end as salt
    from range({clones})
),

drawn as (
    select
        numbered.*,
        real_patients.id as real_id,
        case when salt is null then 0 else 1 + pick(salt || 'level', {levels}) end as level,
        case when salt is null then 0 else skewed(salt || 'region', {regions}) end as region,
        -- Nobody is born after the last day that the sample knows.
        case
            when salt is null then 0
            else least(pick(salt || 'shift', 2 * {max_shift} + 1) - {max_shift}, {last_day} - real_patients.birth_day)
        end as shift,
        pick(salt || 'registered', 500) as registered_ago,
        pick(salt || 'moved', 200) as moved_ago,
        added.day as added_day
    from numbered
    inner join real_patients on real_patients.p = numbered.p
    left join added on numbered.i >= added.first_i and numbered.i < added.end_i
),

placed as (
    select
        drawn.*,
        real.gender,
        home.city,
        home.county,
        home.zip,
        home.lat,
        home.lon,
        born.birthplace,
        (cast(drawn.i as bigint) * 569971 + roll('{seed}')) % 900000 as serial
    from drawn
    inner join src_patients as real on real.file_row = drawn.p + 1
    left join src_patients as home on home.file_row = 1 + pick(drawn.salt || 'home', 27)
    left join src_patients as born on born.file_row = 1 + pick(drawn.salt || 'born', 27)
)

select
    i as c_i,
    p as c_p,
    salt as c_salt,
    rekey(salt, real_id) as c_patient_id,
    cast(level as integer) as c_level,
    cast(shift as integer) as c_shift,
    case when region > 0 then '{seed}|region ' || region || '|' end as c_region_salt,
    -- In the last 60 days 0.2 % of the patients register each day, and 0.5 % move.
    case
        when added_day is not null then {last_day} + added_day
        when registered_ago < 60 then {last_day} - registered_ago
        else {never}
    end as c_reg_day,
    case when added_day is null and moved_ago < 60 then {last_day} - moved_ago end as c_move_day,
    (i // 27) * 6772 as c_charge_offset,
    95 + pick(salt || 'body', 11) as c_body_pct,
    94 + pick(salt || 'lab', 13) as c_lab_pct,
    case
        when salt is not null
            then '999-' || (10 + serial // 10000) || '-' || lpad(cast(serial % 10000 as varchar), 4, '0')
    end as c_ssn,
    'S' || (99900000 - serial) as c_drivers,
    'X' || (10000000 + serial) || 'X' as c_passport,
    first_name(salt, gender) as c_first_name,
    last_name(salt) as c_last_name,
    birthplace as c_birthplace,
    city as c_city,
    county as c_county,
    zip as c_zip,
    near(lat, salt || 'lat', 3000) as c_lat,
    near(lon, salt || 'lon', 3000) as c_lon
from placed
order by i;

-- A region has all real organizations with their providers, under ids of its own.
create table regions as
select
    cast(range as integer) as c_i,
    0 as c_p,
    0 as c_level,
    0 as c_shift,
    {never} as c_reg_day,
    case when range > 0 then '{seed}|region ' || range || '|' end as c_salt
from range({regions});

create table only_one as
select 0 as c_i, 0 as c_p, 0 as c_level, 0 as c_shift, {never} as c_reg_day, cast(null as varchar) as c_salt;

create table price_levels as select distinct c_level as level from clones;
create table claim_numbers as select id, file_row - 1 as claim_no from src_claims;
