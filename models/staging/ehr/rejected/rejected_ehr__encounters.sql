{{ biostar.rejected_rows(ref('base_ehr__encounters')) }}
