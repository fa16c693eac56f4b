with source as (

    {{ biostar.identified_rows(
        source('raw_ehr', 'claims_transactions'),
        biostar.clean_text('id')
    ) }}

),

typed as (

    select
        -- identity
        record_id,
        is_contested,
        {{ biostar.row_hash([
            'id', 'claimid', 'chargeid', 'patientid', 'type', 'amount', 'method', 'fromdate', 'todate',
            'placeofservice', 'procedurecode', 'modifier1', 'modifier2', 'diagnosisref1', 'diagnosisref2',
            'diagnosisref3', 'diagnosisref4', 'units', 'departmentid', 'notes', 'unitamount',
            'transferoutid', 'transfertype', 'payments', 'adjustments', 'transfers', 'outstanding',
            'appointmentid', 'linenote', 'patientinsuranceid', 'feescheduleid', 'providerid',
            'supervisingproviderid'
        ]) }} as row_hash,

        -- keys
        {{ biostar.clean_text('id') }} as claim_transaction_id,
        {{ biostar.clean_text('claimid') }} as claim_id,
        {{ biostar.clean_text('patientid') }} as patient_id,
        {{ biostar.clean_text('placeofservice') }} as organization_id,
        {{ biostar.clean_text('appointmentid') }} as encounter_id,
        {{ biostar.clean_text('patientinsuranceid') }} as patient_insurance_id,
        {{ biostar.clean_text('providerid') }} as provider_id,
        {{ biostar.clean_text('supervisingproviderid') }} as supervising_provider_id,

        -- times
        {{ biostar.safe_timestamp('fromdate') }} as from_at,
        {{ biostar.safe_timestamp('todate') }} as to_at,

        -- attributes
        {{ biostar.clean_text('chargeid') }} as charge_id,
        {{ biostar.clean_text('type') }} as transaction_type,
        {{ biostar.clean_text('method') }} as payment_method,
        {{ biostar.clean_text('procedurecode') }} as procedure_code,
        {{ biostar.clean_text('modifier1') }} as modifier_1,
        {{ biostar.clean_text('modifier2') }} as modifier_2,
        {{ biostar.clean_text('departmentid') }} as department_id,
        {{ biostar.clean_text('notes') }} as notes,
        {{ biostar.clean_text('transferoutid') }} as transfer_out_id,
        {{ biostar.clean_text('transfertype') }} as transfer_type,
        {{ biostar.clean_text('linenote') }} as line_note,
        {{ biostar.clean_text('feescheduleid') }} as fee_schedule_id,

        -- amounts and counts
        {{ biostar.safe_numeric('amount', 18, 2) }} as transaction_amount,
        {{ biostar.safe_integer('diagnosisref1') }} as diagnosis_ref_1,
        {{ biostar.safe_integer('diagnosisref2') }} as diagnosis_ref_2,
        {{ biostar.safe_integer('diagnosisref3') }} as diagnosis_ref_3,
        {{ biostar.safe_integer('diagnosisref4') }} as diagnosis_ref_4,
        {{ biostar.safe_integer('units') }} as unit_count,
        {{ biostar.safe_numeric('unitamount', 18, 2) }} as unit_amount,
        {{ biostar.safe_numeric('payments', 18, 2) }} as payment_amount,
        {{ biostar.safe_numeric('adjustments', 18, 2) }} as adjustment_amount,
        {{ biostar.safe_numeric('transfers', 18, 2) }} as transfer_amount,
        {{ biostar.safe_numeric('outstanding', 18, 2) }} as outstanding_amount,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,

        -- what was parsed, as delivered
        fromdate as fromdate_text,
        todate as todate_text,
        amount as amount_text,
        diagnosisref1 as diagnosisref1_text,
        diagnosisref2 as diagnosisref2_text,
        diagnosisref3 as diagnosisref3_text,
        diagnosisref4 as diagnosisref4_text,
        units as units_text,
        unitamount as unitamount_text,
        payments as payments_text,
        adjustments as adjustments_text,
        transfers as transfers_text,
        outstanding as outstanding_text
    from source

),

judged as (

    select
        typed.*,
        {{ biostar.reject_reason(
            required={
                'id': 'claim_transaction_id',
                'claimid': 'claim_id',
                'patientid': 'patient_id',
                'type': 'transaction_type',
                'fromdate': 'from_at',
            },
            timestamps={'fromdate': 'from_at', 'todate': 'to_at'},
            integers={
                'diagnosisref1': 'diagnosis_ref_1',
                'diagnosisref2': 'diagnosis_ref_2',
                'diagnosisref3': 'diagnosis_ref_3',
                'diagnosisref4': 'diagnosis_ref_4',
                'units': 'unit_count',
            },
            amounts={
                'amount': 'transaction_amount',
                'unitamount': 'unit_amount',
                'payments': 'payment_amount',
                'adjustments': 'adjustment_amount',
                'transfers': 'transfer_amount',
                'outstanding': 'outstanding_amount',
            }
        ) }} as reject_reason
    from typed

)

select * from judged
