{#- Keys are declared once, as constraints in a model's YAML: `not_null` and `foreign_key` at the column,
    `primary_key` at the model. What each engine makes of them:

                    DuckDB                          Redshift
      not_null      enforced                        enforced
      primary_key   left out: it would build an     in the table's DDL; not enforced, but the planner trusts it
                    index that nobody uses
      foreign_key   left out: DuckDB has none       by `alter table` after each build (declare_foreign_keys)
                    between schemas

    The planner of Redshift trusts keys that it does not check
    (https://docs.aws.amazon.com/redshift/latest/dg/t_Defining_constraints.html), so a test holds every one of them:
    unique_grain for primary keys, foreign_keys for foreign keys. -#}

{% macro duckdb__get_table_columns_and_constraints() -%}
    {{ return(biostar.table_columns(primary_key=false)) }}
{%- endmacro %}

{% macro redshift__get_table_columns_and_constraints() -%}
    {{ return(biostar.table_columns(primary_key=true)) }}
{%- endmacro %}

{% macro table_columns(primary_key) -%}
    {%- set columns = {} -%}
    {%- for name, column in model['columns'].items() -%}
        {%- set not_null = column['constraints'] | selectattr('type', 'equalto', 'not_null') | list -%}
        {%- do columns.update({name: dict(column, constraints=not_null)}) -%}
    {%- endfor -%}
    {%- set definitions = adapter.render_raw_columns_constraints(raw_columns=columns) -%}
    {%- if primary_key -%}
        {%- set keys = model['constraints'] | selectattr('type', 'equalto', 'primary_key') | list -%}
        {%- set definitions = definitions + adapter.render_raw_model_constraints(raw_constraints=keys) -%}
    {%- endif -%}
    (
        {{ definitions | join(',\n        ') }}
    )
{%- endmacro %}


{#- dbt-duckdb asks this before it swaps a table in, and builds tables with keys in place, one after the other. Ours
    have none in DuckDB. -#}
{% macro enforced_constraint_types() -%}
    {{ return(['not_null']) }}
{%- endmacro %}


{#- A post-hook for every mart: declares the foreign keys that the table lacks. Not in the table's DDL, because a
    dimension that is built anew takes the keys that point at it away (`drop table … cascade`), while an incremental
    fact is not created again; and because a temporary table cannot refer to a permanent one. -#}
{% macro declare_foreign_keys() -%}
    {{ return(adapter.dispatch('declare_foreign_keys', 'biostar')()) }}
{%- endmacro %}

{% macro default__declare_foreign_keys() -%}
{%- endmacro %}

{% macro redshift__declare_foreign_keys() -%}
    {%- set declared = biostar.declared_foreign_keys(this) if execute else [] -%}
    {%- for name, column in model['columns'].items() -%}
        {%- set constraint_name = 'fk_' ~ this.identifier ~ '_' ~ name -%}
        {%- for constraint in column['constraints']
            if constraint['type'] == 'foreign_key' and constraint_name not in declared %}
    alter table {{ this }} add constraint {{ constraint_name }}
        foreign key ({{ name }}) references {{ constraint['to'] }} ({{ constraint['to_columns'] | join(', ') }});
        {%- endfor -%}
    {%- endfor -%}
{%- endmacro %}

{% macro declared_foreign_keys(relation) -%}
    {%- set found = run_query(
        "select constraint_name from information_schema.table_constraints"
        ~ " where constraint_type = 'FOREIGN KEY'"
        ~ " and table_schema = '" ~ relation.schema ~ "' and table_name = '" ~ relation.identifier ~ "'"
    ) -%}
    {{ return(found.columns[0].values() | list) }}
{%- endmacro %}
