"""The tables of a study, and what of a sweep is a row there."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from hwsim import schema
from hwsim.design import Design
from hwsim.points import FIELDS, Points
from hwsim.result import TOTALS

SCHEMA = "1"
WHOLE = ("cycles", "array_cycles", "macs")
"""Totals that are whole numbers."""
IDS = [f"{name}_id" for name in FIELDS]

TABLES = sa.MetaData()
ABOUT = sa.Table("hwsim_about", TABLES, sa.Column("key", sa.String(40), primary_key=True), sa.Column("value", sa.Text))
SUBJECTS = sa.Table(
    "hwsim_subjects", TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("workload", sa.Text, nullable=False),
    sa.Column("workload_hash", sa.String(16), nullable=False),
    sa.Column("batch", sa.Integer, nullable=False),
    sa.Column("technology_hash", sa.String(16), nullable=False),
    sa.UniqueConstraint("workload_hash", "technology_hash"),
)  # fmt: skip
VALUES = sa.Table(
    "hwsim_values", TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("field", sa.String(40), nullable=False),
    sa.Column("hash", sa.String(16), nullable=False),
    sa.Column("json", sa.Text, nullable=False),
    sa.UniqueConstraint("field", "hash"),
)  # fmt: skip


def _kind(name: str) -> Any:
    return sa.BigInteger if name in WHOLE else sa.String(16) if name == "verified" else sa.Double


POINTS = sa.Table(
    "hwsim_points", TABLES,
    sa.Column("subject", sa.Integer, sa.ForeignKey("hwsim_subjects.id"), primary_key=True, autoincrement=False),
    sa.Column("design_hash", sa.String(16), primary_key=True),
    *(sa.Column(name, sa.Integer, nullable=False) for name in IDS),
    *(sa.Column(name, _kind(name)) for name in TOTALS),
    sa.Column("error", sa.Text, nullable=False),
)  # fmt: skip


def insert_points(connection: sa.Connection, rows: pd.DataFrame) -> None:
    """Adds ``rows`` of `POINTS`. The statement is compiled once and not, as SQLAlchemy would, looked at row by row."""
    statement = sa.insert(POINTS).compile(dialect=connection.dialect)
    names = statement.positiontup or POINTS.columns.keys()
    records = list(zip(*(_plain(rows[name]) for name in names), strict=True))
    parameters = records if statement.positional else [dict(zip(names, record, strict=True)) for record in records]
    connection.exec_driver_sql(statement.string, parameters)


def _plain(column: pd.Series) -> list[Any]:
    """A column as Python values, None for what is missing."""
    values, gone = column.tolist(), column.isna()
    if gone.any():
        values = [None if missing else value for missing, value in zip(gone, values, strict=True)]
    if column.name in WHOLE:
        values = [None if value is None else int(value) for value in values]
    return values


def values_of(connection: sa.Connection) -> dict[str, dict[int, Any]]:
    """Every value of every field of `Design` by its number."""
    found: dict[str, dict[int, Any]] = {name: {} for name in FIELDS}
    for row in connection.execute(sa.select(VALUES).order_by(VALUES.c.id)):
        found[row.field][row.id] = schema.field_from_plain(Design, row.field, json.loads(row.json))
    return found


def points_of(rows: pd.DataFrame, values: Mapping[str, Mapping[int, Any]]) -> Points:
    """The design points of ``rows`` of `POINTS`."""
    codes = {
        name: np.searchsorted(np.array(list(known)), rows[f"{name}_id"].to_numpy()).astype(np.int32)
        for name, known in values.items()
    }
    return Points({name: list(known.values()) for name, known in values.items()}, codes)
