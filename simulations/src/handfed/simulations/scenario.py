"""A scenario: everything that a simulation is made of, as a value that a TOML file holds.

    summary = "Twenty devices with little of each other's classes"
    data = "mnist5k"
    task = "characters"
    partition = "dirichlet:0.3"
    devices = 20
    held-out = 0.2
    steps = ""               # such as "classes:2" for learning in steps (`handfed.simulations.continual`)

    [run]                    # fields of `RunSettings`
    rounds = 40

    [faults]                 # fields of `Faults`
    dropouts = 0.1

    [in-one-place]           # fields of `RunSettings` that `handfed train` takes instead of those above
    learning-rate = 0.02

Rules:
1. Keys are spelt as the command line spells its options. A key that is unknown or in another table, or whose value is
   of another type, is an error that names file and table; a whole number also stands for a fraction.
2. What a file leaves out keeps its default, but for the data set: without one the command line has to name it.
3. `summary` and `default-for` say something about a file, and `in-one-place` is of another training than the
   scenario's: they are no part of it, and `to_toml` leaves them out.
4. Names are unique over all tables, so an option or a sweep needs no table. A test guards that.

Source: TOML 1.0 (https://toml.io/en/v1.0.0).
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Final, Self

from handfed.shared import tasks
from handfed.shared.errors import SettingError
from handfed.shared.run_settings import RunSettings, Value, option
from handfed.simulations.faults import Faults

SCENARIO: Final = "scenario.toml"  # in the directory of a run
TYPES: Final[dict[str, type[Value]]] = {"bool": bool, "int": int, "float": float, "str": str}
TABLES: Final = {"run": RunSettings, "faults": Faults}
IN_ONE_PLACE: Final = "in-one-place"

_TOP: Final = ""  # the name of the table that has none
_KINDS: Final = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "a table",
}


@dataclass(frozen=True)
class Scenario:
    """What is simulated.

    Attributes:
        data: Name of a data set, or the path of one.
        task: What is recognised: a name or file of `handfed.shared.tasks`.
        partition: Who holds what; a scheme of `handfed.simulations.partition`.
        devices: How many there are; with `writer` there is one for each writer.
        held_out: Fraction that is never trained on.
        labelled: Fraction of what a device trains on that has a label; the rest it holds without.
        steps: How the handwriting comes in steps (`handfed.shared.continual.steps`); empty for all at once.
        methods: With steps: how they are learnt (`handfed.simulations.continual.methods`), parted by commas.
        first_rounds: With steps: float rounds of the first one; 0 for as many as the others have.
        study: What is done instead of a run (`handfed.simulations.studies`), with the data set and the seed alone;
            empty for a run.
        run: How they train.
        faults: What goes wrong.
    """

    data: str = "mnist5k"
    task: str = "characters"
    partition: str = "dirichlet:0.3"
    devices: int = 20
    held_out: float = 0.2
    labelled: float = 1.0
    steps: str = ""
    methods: str = "naive,replay,distillation,both,joint"
    first_rounds: int = 0
    study: str = ""
    run: RunSettings = field(default_factory=RunSettings)
    faults: Faults = field(default_factory=Faults)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Value], source: str = "the scenario") -> Self:
        """Builds a scenario from the values of all tables together.

        Args:
            values: By field name, with `_`, whichever table it is of; what is absent keeps its default.
            source: What errors call it.

        Raises:
            SettingError: `data` is absent, a value is out of its bounds, or the recogniser does not read what the
                task is of.
        """
        if "data" not in values:
            raise SettingError(f"{source} names no data set: name one, or a file or folder of one, with --data")
        own = {each: values[each] for each in _names(_TOP) if each in values}
        task = tasks.find(str(values.get("task", cls.task)))
        named = {each: values[each] for each in _names("run") if each in values}
        run = RunSettings.from_mapping({"recogniser": task.recogniser, **named})
        task.check(run.recogniser)
        faults = Faults(**{each: float(values[each]) for each in _names("faults") if each in values})
        return cls(**own, run=run, faults=faults)  # type: ignore[arg-type] # the reader has checked their types

    @classmethod
    def from_toml(cls, text: str, source: str = "the scenario") -> Self:
        """Reads a scenario.

        Args:
            text: TOML.
            source: What errors call it.

        Raises:
            SettingError: As `parse`; or the text names no data set.
        """
        return cls.from_mapping(parse(text, source).values, source)

    def to_mapping(self) -> dict[str, Value]:
        """Every value by field name, of all tables together; `from_mapping` reads it."""
        own = {each: getattr(self, each) for each in _names(_TOP)}
        return own | dataclasses.asdict(self.run) | dataclasses.asdict(self.faults)

    def to_toml(self) -> str:
        """The scenario in full, defaults included; `from_toml` gives it back exactly.

        Raises:
            SettingError: The path of the data set has bytes that no text holds.
        """
        import tomli_w

        values = self.to_mapping()
        document: dict[str, object] = {option(each): values[each] for each in _names(_TOP)}
        document |= {table: {option(each): values[each] for each in _names(table)} for table in TABLES}
        text = tomli_w.dumps(document)
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise SettingError(f"{self.data!r} cannot be written down as text; rename the file or folder") from error
        return text


@dataclass(frozen=True)
class ScenarioFile:
    """A scenario as it is written: perhaps without its data set, and without what it leaves to the defaults.

    Attributes:
        name: What it is called by: a built-in's name, or a path.
        summary: What it is, in a line.
        default_for: Partitions, and kinds of handwriting, that it is taken for when no scenario is named.
        values: What it says, by field name.
        in_one_place: What it says otherwise for training in one place, where one model's steps are not averaged with
            others': fields of `RunSettings`.
    """

    name: str
    summary: str
    default_for: tuple[str, ...]
    values: Mapping[str, Value]
    in_one_place: Mapping[str, Value] = field(default_factory=dict)


def types_by_name() -> dict[str, type[Value]]:
    """The type of every value that a scenario holds, by field name."""
    return {each.name: TYPES[str(each.type)] for table in (_TOP, *TABLES) for each in _fields(table)}


def parse(text: str, source: str) -> ScenarioFile:
    """Reads a scenario's file.

    Args:
        text: TOML.
        source: What errors call it; it becomes the name.

    Raises:
        SettingError: It is no TOML, a key is unknown, or a value is of another type or out of its bounds.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{source}: is not TOML: {error}") from error
    summary = _typed(source, "summary", document.pop("summary", ""), str)
    default_for = _typed(source, "default-for", document.pop("default-for", []), list)
    tables = {name: _typed(source, name, document.pop(name, {}), dict) for name in (*TABLES, IN_ONE_PLACE)}
    in_one_place = _read(source, IN_ONE_PLACE, tables.pop(IN_ONE_PLACE))
    values = _read(source, _TOP, document)
    for name, table in tables.items():
        values |= _read(source, name, table)
    for said in (values, values | in_one_place):
        try:
            Scenario.from_mapping({"data": "", **said})
        except SettingError as error:
            raise SettingError(f"{source}: {error}") from error
    return ScenarioFile(source, summary, tuple(str(each) for each in default_for), values, in_one_place)


def _read(source: str, name: str, table: Mapping[str, object]) -> dict[str, Value]:
    """The values of one table, by field name."""
    known = {key: _field(source, name, key) for key in table}
    return {
        each.name: _typed(_place(source, name), key, table[key], TYPES[str(each.type)]) for key, each in known.items()
    }


def _fields(table: str) -> Iterator[dataclasses.Field[Any]]:
    kind = RunSettings if table == IN_ONE_PLACE else TABLES.get(table, Scenario)
    return (each for each in fields(kind) if each.name not in TABLES)


def _names(table: str) -> list[str]:
    return [each.name for each in _fields(table)]


def _field(source: str, table: str, key: str) -> dataclasses.Field[Any]:
    known = {option(each.name): each for each in _fields(table)}
    if key in known:
        return known[key]
    for other in (_TOP, *TABLES):
        if key in map(option, _names(other)):
            where = f"belongs in [{other}]" if other else "belongs above the first table"
            raise SettingError(f"{_place(source, table)}: {key!r} {where}")
    close = get_close_matches(key, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else f"; known here: {', '.join(known)}"
    raise SettingError(f"{_place(source, table)}: there is no key {key!r}{hint}")


def _place(source: str, table: str) -> str:
    return f"{source}, [{table}]" if table else source


def _typed(place: str, key: str, value: object, kind: type[Any]) -> Any:  # noqa: ANN401 - of the kind asked for
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise SettingError(f"{place}: {key!r} must be {_KINDS[kind]}, not {value!r}")
    return value
