{{ biostar.rejected_rows(ref('base_ehr__observations'), keep_occurrences=true) }}
