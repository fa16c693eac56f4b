with source as (

    select * from {{ source('raw_ehr', 'claims_transactions') }}

),

typed as (

    select
        -- identity
        {{ clean_text('id') }} as record_id,
        {{ record_hash([
            'id', 'claimid', 'chargeid', 'patientid', 'type', 'amount', 'method', 'fromdate', 'todate',
            'placeofservice', 'procedurecode', 'modifier1', 'modifier2', 'diagnosisref1', 'diagnosisref2',
            'diagnosisref3', 'diagnosisref4', 'units', 'departmentid', 'notes', 'unitamount',
            'transferoutid', 'transfertype', 'payments', 'adjustments', 'transfers', 'outstanding',
            'appointmentid', 'linenote', 'patientinsuranceid', 'feescheduleid', 'providerid',
            'supervisingproviderid'
        ]) }} as row_hash,

        -- keys
        {{ clean_text('id') }} as claim_transaction_id,
        {{ clean_text('claimid') }} as claim_id,
        {{ clean_text('patientid') }} as patient_id,
        {{ clean_text('placeofservice') }} as organization_id,
        {{ clean_text('appointmentid') }} as encounter_id,
        {{ clean_text('patientinsuranceid') }} as patient_insurance_id,
        {{ clean_text('providerid') }} as provider_id,
        {{ clean_text('supervisingproviderid') }} as supervising_provider_id,

        -- times
        {{ safe_timestamp('fromdate') }} as from_at,
        {{ safe_timestamp('todate') }} as to_at,

        -- attributes
        {{ clean_text('chargeid') }} as charge_id,
        {{ clean_text('type') }} as transaction_type,
        {{ clean_text('method') }} as payment_method,
        {{ clean_text('procedurecode') }} as procedure_code,
        {{ clean_text('modifier1') }} as modifier_1,
        {{ clean_text('modifier2') }} as modifier_2,
        {{ clean_text('departmentid') }} as department_id,
        {{ clean_text('notes') }} as notes,
        {{ clean_text('transferoutid') }} as transfer_out_id,
        {{ clean_text('transfertype') }} as transfer_type,
        {{ clean_text('linenote') }} as line_note,
        {{ clean_text('feescheduleid') }} as fee_schedule_id,

        -- amounts and counts
        {{ safe_numeric('amount', 18, 2) }} as transaction_amount,
        {{ safe_integer('diagnosisref1') }} as diagnosis_ref_1,
        {{ safe_integer('diagnosisref2') }} as diagnosis_ref_2,
        {{ safe_integer('diagnosisref3') }} as diagnosis_ref_3,
        {{ safe_integer('diagnosisref4') }} as diagnosis_ref_4,
        {{ safe_integer('units') }} as unit_count,
        {{ safe_numeric('unitamount', 18, 2) }} as unit_amount,
        {{ safe_numeric('payments', 18, 2) }} as payment_amount,
        {{ safe_numeric('adjustments', 18, 2) }} as adjustment_amount,
        {{ safe_numeric('transfers', 18, 2) }} as transfer_amount,
        {{ safe_numeric('outstanding', 18, 2) }} as outstanding_amount,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ reject_reason(
            required=['id', 'claimid', 'patientid', 'type', 'fromdate'],
            timestamps=['fromdate', 'todate'],
            integers=['diagnosisref1', 'diagnosisref2', 'diagnosisref3', 'diagnosisref4', 'units'],
            amounts=['amount', 'unitamount', 'payments', 'adjustments', 'transfers', 'outstanding']
        ) }} as reject_reason
    from source

)

select * from typed
