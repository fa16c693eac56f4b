{{ biostar.rejected_rows(ref('base_ehr__allergies'), keep_occurrences=true) }}
