with source as (

    select * from {{ source('raw_ehr', 'claims_transactions') }}

),

typed as (

    select
        -- identity
        {{ biostar.clean_text('id') }} as record_id,
        {{ biostar.record_hash([
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
        {{ biostar.reject_reason(
            required=['id', 'claimid', 'patientid', 'type', 'fromdate'],
            timestamps=['fromdate', 'todate'],
            integers=['diagnosisref1', 'diagnosisref2', 'diagnosisref3', 'diagnosisref4', 'units'],
            amounts=['amount', 'unitamount', 'payments', 'adjustments', 'transfers', 'outstanding']
        ) }} as reject_reason
    from source

)

select * from typed
