with source as (

    {{ biostar.identified_rows(
        source('raw_ehr', 'claims'),
        biostar.clean_text('id')
    ) }}

),

typed as (

    select
        -- identity
        record_id,
        is_contested,
        {{ biostar.row_hash([
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

        -- what was parsed, as delivered
        currentillnessdate as currentillnessdate_text,
        servicedate as servicedate_text,
        lastbilleddate1 as lastbilleddate1_text,
        lastbilleddate2 as lastbilleddate2_text,
        lastbilleddatep as lastbilleddatep_text,
        outstanding1 as outstanding1_text,
        outstanding2 as outstanding2_text,
        outstandingp as outstandingp_text
    from source

),

judged as (

    select
        typed.*,
        {{ biostar.reject_reason(
            required={'id': 'claim_id', 'patientid': 'patient_id', 'servicedate': 'service_at'},
            timestamps={
                'currentillnessdate': 'current_illness_at',
                'servicedate': 'service_at',
                'lastbilleddate1': 'primary_last_billed_at',
                'lastbilleddate2': 'secondary_last_billed_at',
                'lastbilleddatep': 'patient_last_billed_at',
            },
            amounts={
                'outstanding1': 'primary_outstanding_amount',
                'outstanding2': 'secondary_outstanding_amount',
                'outstandingp': 'patient_outstanding_amount',
            }
        ) }} as reject_reason
    from typed

)

select * from judged
