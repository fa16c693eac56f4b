{{ biostar.rejected_rows(ref('base_ehr__immunizations'), keep_occurrences=true) }}
