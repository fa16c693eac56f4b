{#- Which version of a patient a fact meets.

      patient_version_join    the left join that finds it; at most one row, because versions do not overlap
      patient_version_key     the key it found, or the key of the first version

    A patient's first version begins in 1900 and its key does not depend on what was delivered. So a fact of a
    patient who is not delivered yet (or whose date is older or missing) has that key at once, without a join, and
    keeps it when the patient arrives. -#}

{% macro patient_version_join(relation, patient_id, event_date) -%}
    left join {{ relation }} as patient_version
        on {{ patient_id }} = patient_version.patient_id
        and {{ event_date }} >= patient_version.valid_from
        and {{ event_date }} < patient_version.valid_to
{%- endmacro %}

{% macro patient_version_key(patient_id) -%}
    coalesce(patient_version.patient_version_key, {{ biostar.first_patient_version_key(patient_id) }})
{%- endmacro %}

{% macro first_patient_version_key(patient_id) -%}
    {{ biostar.reference_key([patient_id, "'1900-01-01'"]) }}
{%- endmacro %}


{#- A post-hook for an incremental fact: facts built earlier get the version that is valid now where a later delivery
    changed the patient's history (a new address backdates nothing, but a late older drop does). It compares each
    fact with the history itself, so that it needs no watermark and mends whatever an aborted run left behind. -#}
{% macro realign_patient_versions(event_date) -%}
    {%- if is_incremental() -%}
    update {{ this }} as built
    set patient_version_key = patient_version.patient_version_key
    from {{ ref('int_patients__versions') }} as patient_version
    where
        built.patient_key = patient_version.patient_key
        and {{ event_date }} >= patient_version.valid_from
        and {{ event_date }} < patient_version.valid_to
        and built.patient_version_key <> patient_version.patient_version_key
    {%- endif -%}
{%- endmacro %}


{#- For a test: how many rows of each fact stand at a version of another patient, or at one that was not valid on the
    day of the event. facts: pairs of a model's name and the SQL of its date. Dates begin in 1900, as first versions do. -#}
{% macro facts_at_wrong_version(facts) -%}
    {%- for model, event_date in facts %}
    select
        '{{ model }}' as finding,
        count(*) as row_count
    from {{ ref(model) }} as facts
    inner join {{ ref('dim_patient') }} as versions
        on facts.patient_version_key = versions.patient_version_key
    where
        facts.patient_key <> versions.patient_key
        or {{ event_date }} >= versions.valid_to
        or {{ event_date }} < versions.valid_from
    having count(*) > 0
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
{%- endmacro %}
