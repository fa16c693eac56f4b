{#- The terminology that a clinical code belongs to, by one name each: SNOMED, RXNORM, CVX, LOINC, DICOM, ICD10CM,
    SYNTHEA (the exporter's own codes) or, for a system that we do not know, its own name in upper case.

    A row that names its system is believed. Otherwise the column tells (a medication has RxNorm codes), except
    for charges, which mix three systems without saying which. Their form tells them apart:

      up to 3 digits    CVX
      8 digits or more  SNOMED CT; RxNorm has not come that far
      4 to 7 digits     SNOMED CT where the two digits before the last are 00, which says "concept of the core
                        edition" (https://confluence.ihtsdotools.org/display/DOCRELFMT/5.5.+Partition+Identifier).
                        One in a hundred RxNorm numbers has them by chance; those are known by the strength in
                        their name, where a description is given.

    Facts, staging and dim_clinical_code share this rule, so that they compute the same key. -#}
{% macro code_system(domain, code, system=none, description=none) -%}
    {%- set default_systems = {
        'allergen': 'SNOMED', 'reaction': 'SNOMED', 'careplan': 'SNOMED', 'condition': 'SNOMED', 'reason': 'SNOMED',
        'device': 'SNOMED', 'encounter': 'SNOMED', 'body_site': 'SNOMED', 'procedure': 'SNOMED', 'supply': 'SNOMED',
        'medication': 'RXNORM', 'vaccine': 'CVX', 'modality': 'DICOM', 'sop': 'DICOM',
        'observation': none, 'charge': none
    } -%}
    {%- if domain not in default_systems -%}
        {{ exceptions.raise_compiler_error(
            "code_system: unknown domain '" ~ domain ~ "', allowed: " ~ (default_systems.keys() | sort | join(', '))
        ) }}
    {%- endif -%}
    case
        when {{ code }} is null then null
    {%- if system is not none %}
        when lower({{ system }}) in ('snomed', 'snomed-ct', 'snomed ct', 'http://snomed.info/sct') then 'SNOMED'
        when lower({{ system }}) in ('rxnorm', 'http://www.nlm.nih.gov/research/umls/rxnorm') then 'RXNORM'
        when lower({{ system }}) in ('cvx', 'http://hl7.org/fhir/sid/cvx') then 'CVX'
        when lower({{ system }}) in ('loinc', 'http://loinc.org') then 'LOINC'
        when lower({{ system }}) in ('icd10cm', 'icd-10-cm', 'icd10-cm', 'http://hl7.org/fhir/sid/icd-10-cm') then 'ICD10CM'
        when lower({{ system }}) in ('dicom', 'dicom-dcm', 'http://dicom.nema.org/resources/ontology/dcm') then 'DICOM'
        when {{ system }} is not null then upper({{ system }})
    {%- endif %}
    {%- if domain == 'observation' %}
        when {{ code }} like '%_-_' and translate({{ code }}, '0123456789', '') = '-' then 'LOINC'
        else 'SYNTHEA'
    {%- elif domain == 'charge' %}
        when translate({{ code }}, '0123456789', '') <> '' then 'SYNTHEA'
        when length({{ code }}) <= 3 then 'CVX'
        when length({{ code }}) >= 8 then 'SNOMED'
        when substring({{ code }}, length({{ code }}) - 2, 2) <> '00' then 'RXNORM'
        {%- if description is not none %}
        when
            {{ description }} like '% MG%' or {{ description }} like '% MCG%'
            or {{ description }} like '% ML%' or {{ description }} like '% UNT%'
            then 'RXNORM'
        {%- endif %}
        else 'SNOMED'
    {%- else %}
        else '{{ default_systems[domain] }}'
    {%- endif %}
    end
{%- endmacro %}


{#- The key of a clinical code in dim_clinical_code; -1 where there is no code. -#}
{% macro code_key(domain, code, system=none, description=none) -%}
    {{ biostar.reference_key([biostar.code_system(domain, code, system, description), code]) }}
{%- endmacro %}
