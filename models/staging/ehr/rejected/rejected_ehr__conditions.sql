{{ biostar.rejected_rows(ref('base_ehr__conditions'), keep_occurrences=true) }}
