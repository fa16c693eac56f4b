{#- What an incremental fact reads: on the first build and on a full refresh all staged rows; afterwards the rows that
    stand of the loads that the fact has not seen.

    An incremental run reads only the new loads, not the history, and yet ends with the rows of a full refresh:

      - within the new loads the rule of staging decides (newest_versions);
      - against the loads before, the later landing date decides, and of equal dates the new load. So a late older
        drop adds the records that were missing and leaves the others alone;
      - the fact deletes by the record's id, so that a record delivered again replaces all occurrences of the old one.

    staged            the staging view, read in full
    base              the base model under it, with every delivered row
    id                the record's id, as staging names it: the fact's unique_key
    keep_occurrences  as staging has it: true for sources without an id of their own

    The fact must carry _load_id and _ingest_date. -#}
{% macro rows_to_build(staged, base, id, keep_occurrences=false) -%}
    {%- if not is_incremental() -%}
    select * from {{ staged }}
    {%- else -%}
    select
        {%- if keep_occurrences %}
        newest.record_id as {{ id }},
        {%- endif %}
        newest.*
    from (

        with delivered as (

            select * from {{ base }}
            where _load_id > {{ biostar.newest_load_id(this) }}

        )

        select * from (

            {{ biostar.newest_versions('delivered', keep_occurrences) }}

        ) as standing

    ) as newest
    left join {{ this }} as built
        on
            newest.record_id = built.{{ id }}
            and built._ingest_date > newest._ingest_date
    where built.{{ id }} is null
    {%- endif -%}
{%- endmacro %}


{#- The newest load in a table, as a number: a literal lets the engine skip the blocks of older loads. -#}
{% macro newest_load_id(relation) -%}
    {%- if execute -%}
        {%- set found = run_query("select coalesce(max(_load_id), 0) from " ~ relation) -%}
        {{ return(found.columns[0].values()[0]) }}
    {%- endif -%}
    {{ return(0) }}
{%- endmacro %}
