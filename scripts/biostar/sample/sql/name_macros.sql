-- The lists are written into the macros, because a macro takes no table along. The digits behind a name are the more
-- ({variety} for each name) the more patients there are.
create macro numbered(name, lot) as name || cast((roll(name) + pick(lot, {variety})) % 1000 as varchar);
create macro first_stem(key, gender) as
    case
        when gender = 'F' then {female}[1 + skewed(key || 'first', len({female}))]
        else {male}[1 + skewed(key || 'first', len({male}))]
    end;
create macro first_name(key, gender) as numbered(first_stem(key, gender), key || 'first number');
create macro family(lot) as {family}[1 + skewed(lot, len({family}))];
create macro last_name(key) as numbered(family(key || 'last'), key || 'last number');
create macro street(key) as
    (1 + pick(key || 'house', 1100)) || ' ' || family(key || 'street')
    || ' ' || {kinds}[1 + pick(key || 'kind', len({kinds}))]
    || case when pick(key || 'unit', 2) = 0 then '' else ' Unit ' || (1 + pick(key || 'door', 99)) end;

-- Organizations of a cloned region, and the providers in them, stand at one address near the real one.
create macro place_street(salt, address) as
    case
        when salt is null then address
        else (1 + pick(salt || address, 1999)) || ' ' || regexp_replace(address, '^[0-9]+ +', '')
    end;
create macro place_degree(salt, axis, address, degree) as
    case when salt is null then degree else near(degree, salt || axis || address, 4000) end;

-- Totals of the payers grow with the patients.
create macro grown(t) as
    case
        when {patients} <= 27 or t is null then t
        when contains(t, '.') then money(in_cents(t) * {patients} // 27)
        else cast(cast(t as bigint) * {patients} // 27 as varchar)
    end;
