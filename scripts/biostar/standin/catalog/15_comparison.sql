-- Trailing blanks count for nothing when texts are compared, sorted, grouped, joined or made distinct, as on Redshift:
-- https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html, "Significance of trailing blanks". Postgres
-- compares like this for character(n) only, whose values are stored as text is; so the operators of text, and the
-- operator families that sorting and hashing go by, call its functions. Lengths, concatenation, LIKE and regular
-- expressions still see every blank.

update pg_catalog.pg_operator set oprcode = case oprname
    when '=' then 'bpchareq' when '<>' then 'bpcharne' when '<' then 'bpcharlt' when '<=' then 'bpcharle'
    when '>' then 'bpchargt' when '>=' then 'bpcharge'
end::regproc
where oprleft = 'text'::regtype and oprright = 'text'::regtype and oprname in ('=', '<>', '<', '<=', '>', '>=');

update pg_catalog.pg_amproc as p set amproc = mine.amproc
from (
    select other.amprocfamily, other.amprocnum, other.amproc, f.opfmethod
    from pg_catalog.pg_amproc as other
    join pg_catalog.pg_opfamily as f on f.oid = other.amprocfamily
    where f.opfname = 'bpchar_ops' and other.amproclefttype = 'bpchar'::regtype
) as mine, pg_catalog.pg_opfamily as family
where family.oid = p.amprocfamily and family.opfname = 'text_ops' and family.opfmethod = mine.opfmethod
    and family.opfmethod in (select oid from pg_catalog.pg_am where amname in ('btree', 'hash'))
    and p.amproclefttype = 'text'::regtype and p.amprocrighttype = 'text'::regtype and p.amprocnum = mine.amprocnum;
