{{ biostar.rejected_rows(ref('base_ehr__medications'), keep_occurrences=true) }}
