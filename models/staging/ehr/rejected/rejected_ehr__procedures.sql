{{ biostar.rejected_rows(ref('base_ehr__procedures'), keep_occurrences=true) }}
