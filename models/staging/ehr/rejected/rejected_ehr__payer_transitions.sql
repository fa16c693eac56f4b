{{ biostar.rejected_rows(ref('base_ehr__payer_transitions'), keep_occurrences=true) }}
