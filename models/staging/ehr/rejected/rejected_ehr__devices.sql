{{ biostar.rejected_rows(ref('base_ehr__devices'), keep_occurrences=true) }}
