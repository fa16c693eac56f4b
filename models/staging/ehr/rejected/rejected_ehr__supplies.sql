{{ biostar.rejected_rows(ref('base_ehr__supplies'), keep_occurrences=true) }}
