{#- dbt casts each part to varchar without a length, which Redshift takes as varchar(256) and cuts
    (https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html): two versions that differ only later would
    have one hash. -#}
{% macro default__snapshot_hash_arguments(args) -%}
    md5(
        {%- for arg in args -%}
            coalesce(cast({{ arg }} as varchar(1024)), '') {%- if not loop.last %} || '|' || {% endif -%}
        {%- endfor -%}
    )
{%- endmacro %}
