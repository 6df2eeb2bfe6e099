"""Which functions an expression calls, and what is known of them. Pure.

A function that is not listed here may be anybody's: called by itself it may do anything, and as a
default it may give every row another value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.database.lint.words import folded, is_name

if TYPE_CHECKING:
    from collections.abc import Sequence


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STABLE = _words(
    """
    abs age array_agg array_append array_cat array_fill array_length array_position array_remove
    array_to_string ascii avg bool_and bool_or btrim cardinality ceil ceiling char_length chr
    coalesce col_description concat concat_ws convert_from convert_to count current_database
    current_schema current_schemas current_setting date_bin date_part date_trunc decode digest
    encode exists extract floor format format_type generate_series greatest
    has_column_privilege has_schema_privilege has_table_privilege initcap
    json_agg json_array_elements json_array_elements_text json_array_length json_build_array
    json_build_object json_each json_each_text json_object json_object_agg json_object_keys
    json_populate_record json_populate_recordset json_to_record json_to_recordset json_typeof
    jsonb_insert jsonb_object jsonb_path_exists jsonb_path_query
    jsonb_path_query_array jsonb_path_query_first jsonb_populate_record jsonb_populate_recordset
    jsonb_to_record jsonb_to_recordset array_prepend array_replace array_to_json array_upper
    array_lower array_ndims array_dims justify_interval isfinite log ln exp degrees radians
    dense_rank first_value last_value nth_value ntile percent_rank cume_dist every
    jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_array_length
    jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path
    jsonb_extract_path_text jsonb_object_agg jsonb_object_keys jsonb_pretty jsonb_set
    jsonb_strip_nulls jsonb_typeof lag lead least left length lower lpad ltrim make_date
    make_interval make_time make_timestamp make_timestamptz max md5 min mod now nullif num_nonnulls
    num_nulls obj_description octet_length overlay pg_backend_pid pg_get_constraintdef
    pg_get_expr pg_get_indexdef pg_get_serial_sequence pg_get_viewdef pg_indexes_size
    pg_relation_size pg_size_pretty pg_table_is_visible pg_table_size pg_total_relation_size
    pg_type_is_visible pg_typeof position power quote_ident quote_literal quote_nullable rank
    regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table repeat
    replace reverse right round row row_number row_to_json rpad rtrim sha224 sha256 sha384 sha512
    sign split_part sqrt starts_with statement_timestamp string_agg string_to_array strpos substr
    substring sum timezone to_char to_date to_hex to_json to_jsonb to_number to_regclass
    to_regnamespace to_regproc to_regprocedure to_regrole to_regtype to_timestamp
    to_tsquery to_tsvector transaction_timestamp translate trim trunc unnest upper version
    """
)
"""Built in, and the same for all rows of a statement; they change nothing."""

VOLATILE = _words(
    """
    clock_timestamp currval gen_random_bytes gen_random_uuid gen_salt lastval nextval
    pg_advisory_lock
    pg_advisory_unlock pg_advisory_unlock_all pg_advisory_xact_lock pg_notify pg_sleep
    pg_try_advisory_lock pg_try_advisory_xact_lock random set_config setseed setval timeofday
    uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4 uuidv4 uuidv7
    """
)
"""Of PostgreSQL or its own extensions, and another value for each row; they change no schema."""

_QUERY = {"SELECT", "WITH", "VALUES", "TABLE", "INSERT", "UPDATE", "DELETE", "MERGE"}
# What stands before a bracket and is no function: keywords, and types that take a length.
_NO_FUNCTION = _words(
    """
    ALL AND ANY ARRAY AS BETWEEN BIT BY CASE CAST CHAR CHARACTER CHECK CONFLICT CUBE DEC DECIMAL
    DISTINCT ELSE EXCEPT FILTER FLOAT FOR FROM FULL GROUP GROUPING HAVING ILIKE IN INNER INTERSECT
    INTERVAL INTO IS ISNULL JOIN KEY LATERAL LEFT LIKE LIMIT MATERIALIZED NATURAL NOT NULL NUMERIC
    OFFSET ON ONLY OR OVER PARTITION RETURN RETURNING ROLLUP SELECT SET SETS SIMILAR SOME TABLE THEN
    TIME TIMESTAMP TIMESTAMPTZ TIMETZ UNION UPDATE USING VALUES VARCHAR VARYING WHEN WHERE WINDOW
    WITH WITHIN BPCHAR NCHAR INT INTEGER TEXT VECTOR HALFVEC
    """
)


def calls(words: Sequence[str]) -> list[str]:
    """Return the names of the functions that are called, in order, without their schemas."""
    found = []
    for at in range(1, len(words)):
        word = words[at - 1]
        if words[at] != "(" or not is_name(word) or word in _NO_FUNCTION:
            continue
        before = words[at - 2] if at > 1 else ""
        # `WITH x (a)`, `AS x (a)`, `INTO x (a)`: a list of columns; `::x (a)`: a type.
        if before in {"WITH", "RECURSIVE", "AS", "INTO", "::", "REFERENCES", "OVER"}:
            continue
        if before == "," and _names_a_query(words, at):
            continue
        found.append(folded(word))
    return found


def _names_a_query(words: Sequence[str], at: int) -> bool:
    """Whether the bracket at `at` is the list of columns in `, x (a, b) AS (SELECT ...)`."""
    depth = 0
    for end in range(at, len(words)):
        depth += (words[end] == "(") - (words[end] == ")")
        if depth == 0:
            behind = [one for one in words[end + 1 : end + 6] if one not in {"NOT", "MATERIALIZED"}]
            return behind[:2] == ["AS", "("] and behind[2:3] != [] and behind[2] in _QUERY
    return False


def unknown_calls(words: Sequence[str]) -> list[str]:
    """Return the called functions of which nothing is known."""
    return [name for name in calls(words) if name not in STABLE and name not in VOLATILE]


def varies(words: Sequence[str]) -> bool:
    """Tell whether an expression may have another value for each row."""
    return any(name not in STABLE for name in calls(words))
