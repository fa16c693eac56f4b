-- Without this a claim, a line of its ledger or a month of coverage could sit at a version of its patient that was not
-- valid then, or at another patient's, and costs would be told of the wrong address with every key intact.

{{ biostar.facts_at_wrong_version([
    ('fct_claim', 'cast(facts.service_at as date)'),
    ('fct_claim_transaction', 'cast(coalesce(facts.from_at, facts.to_at) as date)'),
    ('fct_coverage_month', 'facts.month_start_date'),
]) }}
