"""What the 18 tables are made of, as far as cloning a patient needs to know.

Every column that no rule names is copied as it is, so that values that were frequent stay frequent. Column names are
those of the shipped files in lower case; what is written carries the shipped (or the newest) header.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Entity = Literal["patient", "region", "single"]


@dataclass(frozen=True)
class TableSpec:
    """How the rows of one table are cloned, when they become known, and what can be wrong with them.

    Attributes:
        entity: whose rows they are: a patient's, a region's (organizations and their providers) or the only ones.
        patient: the column that names the patient.
        event: the column whose day makes the row known; with `encounter`, not before that encounter's start.
        stop: the column that stays empty until its day has come; then the row is delivered again.
        dates: columns that move with the patient's shift in time.
        ids: columns re-keyed per patient.
        region_ids: columns re-keyed per region.
        money: amounts that have one value per price level.
        custom: expressions over c_… (the clone) and b_… (the row), for what no rule above covers.
        correction: column and expression of a row that is delivered again corrected; {value} is its old value.
        natural_key: what staging takes for the identity of a row, where there is no id.
        number, day, text, required: the columns that the defects hit.
        orphan: the row may refer to a patient that is never delivered.
    """

    name: str
    entity: Entity = "patient"
    patient: str | None = "patient"
    event: str | None = None
    encounter: str | None = None
    stop: str | None = None
    dates: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    region_ids: tuple[str, ...] = ()
    money: tuple[str, ...] = ()
    custom: Mapping[str, str] = field(default_factory=dict)
    correction: tuple[str, str] | None = None
    natural_key: tuple[str, ...] = ()
    number: str | None = None
    day: str | None = None
    text: str | None = None
    required: str | None = None
    orphan: bool = False

    @property
    def priced(self) -> bool:
        """Whether the rows differ by price level."""
        return bool(self.money)

    @property
    def has_id(self) -> bool:
        """Whether an id identifies a row, so that two versions of it cannot both stand."""
        return not self.natural_key


_LATER = "later({value})"
_ENDED_DAY = "coalesce(cast(cast({value} as date) + 1 as varchar), cast({as_of} as varchar))"
_ENDED_TIME = "coalesce(later({value}), cast({as_of} as varchar) || 'T12:00:00Z')"
_ONE_MORE = "cast(cast({value} as integer) + 1 as varchar)"

TABLES: tuple[TableSpec, ...] = (
    TableSpec(
        "organizations",
        entity="region",
        patient=None,
        ids=("id",),
        custom={
            "name": "case when c_salt is null then b_name else b_name || ' ' || (c_i + 1) end",
            "address": "place_street(c_salt, b_address)",
            "lat": "place_degree(c_salt, 'lat', b_address, b_lat)",
            "lon": "place_degree(c_salt, 'lon', b_address, b_lon)",
            "phone": "case when c_salt is null or b_phone is null then b_phone"
            " else left(b_phone, 3) || lpad(cast(roll(c_salt || b_phone) % 10000000 as varchar), 7, '0') end",
        },
        correction=("utilization", _ONE_MORE),
        number="utilization",
        text="name",
        required="id",
    ),
    TableSpec(
        "providers",
        entity="region",
        patient=None,
        ids=("id", "organization"),
        custom={
            "name": "case when c_salt is null then b_name else first_name(c_salt || b_id, b_gender) || ' '"
            " || last_name(c_salt || b_id) end",
            "address": "place_street(c_salt, b_address)",
            "lat": "place_degree(c_salt, 'lat', b_address, b_lat)",
            "lon": "place_degree(c_salt, 'lon', b_address, b_lon)",
        },
        correction=("utilization", _ONE_MORE),
        number="utilization",
        text="name",
        required="id",
    ),
    TableSpec(
        "payers",
        entity="single",
        patient=None,
        custom={
            name: f"grown(b_{name})"
            for name in (
                "amount_covered",
                "amount_uncovered",
                "revenue",
                "covered_encounters",
                "uncovered_encounters",
                "covered_medications",
                "uncovered_medications",
                "covered_procedures",
                "uncovered_procedures",
                "covered_immunizations",
                "uncovered_immunizations",
                "unique_customers",
                "member_months",
            )
        },
    ),
    TableSpec(
        "patients",
        patient="id",
        event="birthdate",
        dates=("birthdate", "deathdate"),
        money=("healthcare_expenses", "healthcare_coverage"),
        custom={
            "ssn": "coalesce(c_ssn, b_ssn)",
            "drivers": "case when c_salt is null or b_drivers is null then b_drivers else c_drivers end",
            "passport": "case when c_salt is null or b_passport is null then b_passport else c_passport end",
            "first": "coalesce(c_first_name, b_first)",
            "last": "coalesce(c_last_name, b_last)",
            "maiden": "case when c_salt is null or b_maiden is null then b_maiden"
            " else last_name(c_salt || 'maiden') end",
            "birthplace": "coalesce(c_birthplace, b_birthplace)",
            "address": "case when c_moves > 0 then street(c_patient_id || c_moves)"
            " when c_salt is null then b_address else street(c_salt) end",
            "city": "coalesce(c_city, b_city)",
            "county": "coalesce(c_county, b_county)",
            "zip": "case when c_salt is null then b_zip else c_zip end",
            "lat": "case when c_salt is null then b_lat else c_lat end",
            "lon": "case when c_salt is null then b_lon else c_lon end",
        },
        number="healthcare_expenses",
        day="birthdate",
        text="address",
        required="birthdate",
    ),
    TableSpec(
        "encounters",
        event="start",
        stop="stop",
        dates=("start", "stop"),
        ids=("id",),
        region_ids=("organization", "provider"),
        money=("base_encounter_cost", "total_claim_cost", "payer_coverage"),
        correction=("stop", _LATER),
        number="total_claim_cost",
        day="start",
        text="description",
        required="start",
    ),
    TableSpec(
        "conditions",
        event="start",
        encounter="encounter",
        stop="stop",
        dates=("start", "stop"),
        ids=("encounter",),
        correction=("stop", _ENDED_DAY),
        natural_key=("patient", "encounter", "start", "code"),
        day="start",
        text="description",
        required="code",
        orphan=True,
    ),
    TableSpec(
        "allergies",
        event="start",
        encounter="encounter",
        dates=("start", "stop"),
        ids=("encounter",),
        correction=("stop", _ENDED_DAY),
        natural_key=("patient", "encounter", "start", "code"),
        day="start",
        text="description",
        required="code",
        orphan=True,
    ),
    TableSpec(
        "careplans",
        event="start",
        encounter="encounter",
        stop="stop",
        dates=("start", "stop"),
        ids=("id", "encounter"),
        correction=("stop", _ENDED_DAY),
        day="start",
        text="description",
        required="code",
        orphan=True,
    ),
    TableSpec(
        "devices",
        event="start",
        encounter="encounter",
        dates=("start", "stop"),
        ids=("encounter",),
        custom={
            "udi": "case when c_salt is null then b_udi else regexp_replace(b_udi, '[(]21[)].*$', '(21)' ||"
            " cast(roll(c_salt || b_udi) as varchar)) end"
        },
        correction=("stop", _ENDED_TIME),
        natural_key=("patient", "encounter", "start", "code", "udi"),
        day="start",
        text="description",
        required="code",
        orphan=True,
    ),
    TableSpec(
        "imaging_studies",
        event="date",
        encounter="encounter",
        dates=("date",),
        ids=("id", "encounter"),
        custom={
            "series_uid": "case when c_salt is null then b_series_uid else b_series_uid || '.' || c_i end",
            "instance_uid": "case when c_salt is null then b_instance_uid else b_instance_uid || '.' || c_i end",
        },
        natural_key=("id", "series_uid", "instance_uid", "procedure_code"),
        day="date",
        text="bodysite_description",
        required="date",
        orphan=True,
    ),
    TableSpec(
        "immunizations",
        event="date",
        encounter="encounter",
        dates=("date",),
        ids=("encounter",),
        money=("base_cost",),
        natural_key=("patient", "encounter", "date", "code"),
        number="base_cost",
        day="date",
        text="description",
        required="code",
        orphan=True,
    ),
    TableSpec(
        "medications",
        event="start",
        encounter="encounter",
        stop="stop",
        dates=("start", "stop"),
        ids=("encounter",),
        money=("base_cost", "payer_coverage", "totalcost"),
        correction=("stop", _ENDED_TIME),
        natural_key=("patient", "encounter", "start", "code"),
        number="dispenses",
        day="start",
        text="description",
        required="code",
        orphan=True,
    ),
    TableSpec(
        "observations",
        event="date",
        encounter="encounter",
        dates=("date",),
        ids=("encounter",),
        custom={
            "value": "case when c_salt is null or b_jitter is null then b_value"
            " else cast(cast(round(b_measured * (case b_jitter when 'body' then c_body_pct else c_lab_pct end)"
            " / 100, 1) as decimal(9, 1)) as varchar) end"
        },
        correction=(
            "value",
            "case when b_type = 'numeric' then cast(cast({value} as decimal(9, 1)) + 1 as varchar)"
            " else {value} || ' (corrected)' end",
        ),
        natural_key=("patient", "encounter", "date", "code"),
        day="date",
        text="description",
        required="code",
        orphan=True,
    ),
    TableSpec(
        "procedures",
        event="start",
        encounter="encounter",
        stop="stop",
        dates=("start", "stop"),
        ids=("encounter",),
        money=("base_cost",),
        correction=("stop", _LATER),
        natural_key=("patient", "encounter", "start", "code"),
        number="base_cost",
        day="start",
        text="description",
        required="code",
        orphan=True,
    ),
    TableSpec(
        "supplies",
        event="date",
        encounter="encounter",
        dates=("date",),
        ids=("encounter",),
        correction=("quantity", _ONE_MORE),
        natural_key=("patient", "encounter", "date", "code"),
        number="quantity",
        day="date",
        text="description",
        required="code",
        orphan=True,
    ),
    TableSpec(
        "payer_transitions",
        event="start_year",
        dates=("start_year", "end_year"),
        ids=("memberid",),
        custom={
            "ownername": "case when c_salt is null or b_ownername is null then b_ownername"
            " when b_ownership = 'Self' then c_first_name || ' ' || c_last_name"
            " else split_part(b_ownername, ' ', 1) || ' ' || c_last_name end"
        },
        correction=("end_year", _LATER),
        natural_key=("patient", "start_year", "payer"),
        day="start_year",
        text="ownername",
        required="payer",
    ),
    TableSpec(
        "claims",
        patient="patientid",
        event="servicedate",
        encounter="appointmentid",
        dates=("currentillnessdate", "servicedate", "lastbilleddate1", "lastbilleddate2", "lastbilleddatep"),
        ids=("id", "appointmentid"),
        region_ids=("providerid", "supervisingproviderid"),
        money=("charged",),
        custom={
            "status1": "case when c_open then 'BILLED' else b_status1 end",
            "statusp": "case when c_open then 'BILLED' else b_statusp end",
            "outstanding1": "case when c_open and b_primarypatientinsuranceid <> '0' then p_charged"
            " else b_outstanding1 end",
            "outstandingp": "case when c_open and b_primarypatientinsuranceid = '0' then p_charged"
            " else b_outstandingp end",
        },
        correction=("lastbilleddatep", _LATER),
        number="outstanding1",
        day="servicedate",
        text="diagnosis1",
        required="servicedate",
    ),
    TableSpec(
        "claims_transactions",
        patient="patientid",
        event="fromdate",
        encounter="appointmentid",
        dates=("fromdate", "todate"),
        ids=("id", "claimid", "appointmentid"),
        region_ids=("placeofservice", "providerid", "supervisingproviderid"),
        money=("amount", "unitamount", "payments", "transfers", "outstanding"),
        custom={
            "chargeid": "case when c_salt is null then b_chargeid"
            " else cast(b_charge_number + c_charge_offset as varchar) end",
            "transferoutid": "case when c_salt is null then b_transferoutid"
            " else cast(b_transfer_number + c_charge_offset as varchar) end",
            "patientinsuranceid": "case when b_patientinsuranceid is null then null else c_patient_id end",
        },
        correction=("notes", "{value} || ' (corrected)'"),
        number="amount",
        day="fromdate",
        text="notes",
        required="type",
    ),
)

BY_NAME: dict[str, TableSpec] = {table.name: table for table in TABLES}

NEWEST_HEADER: dict[str, tuple[tuple[str, str, str], ...]] = {
    # table: (shipped column after which it goes or which it renames, the newest name, expression or "" for a new name)
    "patients": (
        (
            "FIRST",
            "MIDDLE",
            "case when roll(c_patient_id) % 5 = 0 then null else first_name(c_patient_id, b_gender) end",
        ),
        ("COUNTY", "FIPS", "county_fips(coalesce(c_county, b_county))"),
        ("HEALTHCARE_COVERAGE", "INCOME", "cast(8000 + roll(c_patient_id || 'income') % 190000 as varchar)"),
    ),
    "payer_transitions": (
        ("START_YEAR", "START_DATE", ""),
        ("END_YEAR", "END_DATE", ""),
        ("OWNERSHIP", "PLAN_OWNERSHIP", ""),
        ("OWNERNAME", "OWNER_NAME", ""),
    ),
    "conditions": (("ENCOUNTER", "SYSTEM", "'http://snomed.info/sct'"),),
    "procedures": (("ENCOUNTER", "SYSTEM", "'http://snomed.info/sct'"),),
    "providers": (("UTILIZATION", "ENCOUNTERS", ""), ("ENCOUNTERS", "PROCEDURES", "'0'")),
    "payers": (
        (
            "NAME",
            "OWNERSHIP",
            "case when b_name like 'Medica%' or b_name like 'Dual%' then 'GOVERNMENT'"
            " when b_name = 'NO_INSURANCE' then 'NO_INSURANCE' else 'PRIVATE' end",
        ),
    ),
}
