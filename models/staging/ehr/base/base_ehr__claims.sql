with source as (

    select * from {{ source('raw_ehr', 'claims') }}

),

typed as (

    select
        -- identity
        {{ biostar.clean_text('id') }} as record_id,
        {{ biostar.record_hash([
            'id', 'patientid', 'providerid', 'primarypatientinsuranceid', 'secondarypatientinsuranceid',
            'departmentid', 'patientdepartmentid', 'diagnosis1', 'diagnosis2', 'diagnosis3', 'diagnosis4',
            'diagnosis5', 'diagnosis6', 'diagnosis7', 'diagnosis8', 'referringproviderid', 'appointmentid',
            'currentillnessdate', 'servicedate', 'supervisingproviderid', 'status1', 'status2', 'statusp',
            'outstanding1', 'outstanding2', 'outstandingp', 'lastbilleddate1', 'lastbilleddate2',
            'lastbilleddatep', 'healthcareclaimtypeid1', 'healthcareclaimtypeid2'
        ]) }} as row_hash,

        -- keys
        {{ biostar.clean_text('id') }} as claim_id,
        {{ biostar.clean_text('patientid') }} as patient_id,
        {{ biostar.clean_text('providerid') }} as provider_id,
        nullif({{ biostar.clean_text('primarypatientinsuranceid') }}, '0') as primary_payer_id,
        nullif({{ biostar.clean_text('secondarypatientinsuranceid') }}, '0') as secondary_payer_id,
        {{ biostar.clean_text('referringproviderid') }} as referring_provider_id,
        {{ biostar.clean_text('appointmentid') }} as encounter_id,
        {{ biostar.clean_text('supervisingproviderid') }} as supervising_provider_id,

        -- times
        {{ biostar.safe_timestamp('currentillnessdate') }} as current_illness_at,
        {{ biostar.safe_timestamp('servicedate') }} as service_at,
        {{ biostar.safe_timestamp('lastbilleddate1') }} as primary_last_billed_at,
        {{ biostar.safe_timestamp('lastbilleddate2') }} as secondary_last_billed_at,
        {{ biostar.safe_timestamp('lastbilleddatep') }} as patient_last_billed_at,

        -- attributes
        {{ biostar.clean_text('departmentid') }} as department_id,
        {{ biostar.clean_text('patientdepartmentid') }} as patient_department_id,
        {{ biostar.clean_text('diagnosis1') }} as diagnosis_1_code,
        {{ biostar.clean_text('diagnosis2') }} as diagnosis_2_code,
        {{ biostar.clean_text('diagnosis3') }} as diagnosis_3_code,
        {{ biostar.clean_text('diagnosis4') }} as diagnosis_4_code,
        {{ biostar.clean_text('diagnosis5') }} as diagnosis_5_code,
        {{ biostar.clean_text('diagnosis6') }} as diagnosis_6_code,
        {{ biostar.clean_text('diagnosis7') }} as diagnosis_7_code,
        {{ biostar.clean_text('diagnosis8') }} as diagnosis_8_code,
        {{ biostar.clean_text('status1') }} as primary_status,
        {{ biostar.clean_text('status2') }} as secondary_status,
        {{ biostar.clean_text('statusp') }} as patient_status,
        {{ biostar.clean_text('healthcareclaimtypeid1') }} as primary_claim_type_id,
        {{ biostar.clean_text('healthcareclaimtypeid2') }} as secondary_claim_type_id,

        -- amounts and counts
        {{ biostar.safe_numeric('outstanding1', 18, 2) }} as primary_outstanding_amount,
        {{ biostar.safe_numeric('outstanding2', 18, 2) }} as secondary_outstanding_amount,
        {{ biostar.safe_numeric('outstandingp', 18, 2) }} as patient_outstanding_amount,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ biostar.reject_reason(
            required=['id', 'patientid', 'servicedate'],
            timestamps=['currentillnessdate', 'servicedate', 'lastbilleddate1', 'lastbilleddate2', 'lastbilleddatep'],
            amounts=['outstanding1', 'outstanding2', 'outstandingp']
        ) }} as reject_reason
    from source

)

select * from typed
