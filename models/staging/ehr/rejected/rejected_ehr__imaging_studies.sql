{{ biostar.rejected_rows(ref('base_ehr__imaging_studies'), keep_occurrences=true) }}
