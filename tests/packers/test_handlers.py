"""Custom types: registered once, carried by every packer."""

import dataclasses
import enum
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import BaseModel, ValidationError

from sente import ConfigError, PackError, TaggedValue, TypeHandler, UnpackError
from sente.packers import get
from tests.packers.examples import MONEY, Money

NAMES = ["transit", "msgpack", "cbor", "auto", "edn"]
every_packer = pytest.mark.parametrize("name", NAMES)


class Moment(datetime):
    """As Joda time was to Java, and pendulum is to Python."""


class Mood(enum.Enum):
    GOOD = 1


class Basket:
    def __init__(self, *items: Any) -> None:
        self.items = list(items)


class BigBasket(Basket):
    pass


BASKET = TypeHandler(tag="app/basket", type=Basket, encode=lambda b: b.items, decode=lambda rep: Basket(*rep))


def there_and_back(name: str, value: Any, *types: Any) -> Any:
    packer = get(name, types=types)
    return packer.unpack(packer.pack(value))


@every_packer
def test_handlers_nest(name: str) -> None:
    basket = there_and_back(name, {"b": Basket(Money("EUR", Decimal(5)), {Money("JPY", Decimal(1))})}, BASKET, MONEY)[
        "b"
    ]
    assert basket.items == [Money("EUR", Decimal(5)), {Money("JPY", Decimal(1))}]


@every_packer
def test_who_has_no_handler_keeps_what_came(name: str) -> None:
    wire = get(name, types=[MONEY]).pack([Money("EUR", Decimal(5))])
    plain = get(name)
    assert plain.unpack(wire) == [TaggedValue("app/money", ["EUR", Decimal(5)])]
    assert get(name, types=[MONEY]).unpack(plain.pack(plain.unpack(wire))) == [Money("EUR", Decimal(5))]
    only_writes = dataclasses.replace(MONEY, decode=None)
    assert type(there_and_back(name, Money("EUR", Decimal(5)), only_writes)) is TaggedValue


@every_packer
def test_subclasses_are_served_unless_they_have_their_own(name: str) -> None:
    assert type(there_and_back(name, BigBasket(1), BASKET)) is Basket
    big = TypeHandler(tag="app/big", type=BigBasket, encode=lambda b: b.items, decode=lambda rep: BigBasket(*rep))
    for types in ([BASKET, big], [big, BASKET]):
        assert type(there_and_back(name, BigBasket(1), *types)) is BigBasket
        assert type(there_and_back(name, Basket(1), *types)) is Basket


@every_packer
def test_without_a_tag_a_value_is_written_as_something_else(name: str) -> None:
    moments = TypeHandler(tag=None, type=Moment, encode=lambda m: datetime(m.year, m.month, m.day, tzinfo=UTC))
    assert there_and_back(name, [Moment(2026, 1, 2)], moments) == [datetime(2026, 1, 2, tzinfo=UTC)]
    as_text = TypeHandler(tag=None, type=Basket, encode=lambda b: "~" + b.items[0])
    assert there_and_back(name, [Basket("x")], as_text) == ["~x"]


@every_packer
def test_a_handler_for_a_built_in_tag_replaces_its_decoder(name: str) -> None:
    moments = TypeHandler(
        tag="t",
        type=Moment,
        encode=lambda m: datetime.fromtimestamp(m.timestamp(), UTC),
        decode=lambda d: Moment.fromtimestamp(d.timestamp(), UTC),
    )
    for value in (Moment(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)):
        (back,) = there_and_back(name, [value], moments)
        assert type(back) is Moment and back == value
    lists = TypeHandler(tag="set", type=Basket, encode=lambda b: set(b.items), decode=lambda s: Basket(*s))
    assert there_and_back(name, {1}, lists).items == [1]


@every_packer
def test_types_that_libraries_write_by_themselves_can_be_handled_too(name: str) -> None:
    mood = TypeHandler(tag="app/mood", type=Mood, encode=lambda m: m.name, decode=Mood.__getitem__)
    assert there_and_back(name, [Mood.GOOD, {"a": Mood.GOOD}], mood) == [Mood.GOOD, {"a": Mood.GOOD}]
    ids = TypeHandler(tag="app/id", type=UUID, encode=lambda u: u.int, decode=lambda n: UUID(int=n + 1))
    assert there_and_back(name, [UUID(int=5)], ids) == [UUID(int=6)]
    days = TypeHandler(tag="app/day", type=date, encode=date.toordinal, decode=date.fromordinal)
    assert there_and_back(name, [date(2026, 1, 2)], days) == [date(2026, 1, 2)]


def test_json_asks_handlers_for_writing() -> None:
    assert get("json", types=[MONEY]).pack([Money("EUR", Decimal("5.0"))]) == '[["EUR","5.0"]]'
    mood = TypeHandler(tag="app/mood", type=Mood, encode=lambda m: m.name, decode=Mood.__getitem__)
    assert get("json", types=[mood]).pack([Mood.GOOD, None]) == '["GOOD",null]'


@pytest.mark.parametrize("name", ["json", *NAMES])
def test_what_a_handler_raises_is_a_pack_error_with_its_place(name: str) -> None:
    broken = TypeHandler(tag="app/basket", type=Basket, encode=lambda b: b.items[7], decode=None)
    with pytest.raises(PackError, match=r"value\.a\[1\]: Basket cannot be packed: its handler raised IndexError"):
        get(name, types=[broken]).pack({"a": [1, Basket()]})
    with pytest.raises(PackError, match=r"value\.a\[0\]: object cannot be packed: give the packer a TypeHandler"):
        get(name, types=[BASKET]).pack({"a": Basket(object())})
    endless = TypeHandler(tag=None, type=Basket, encode=lambda b: b)
    with pytest.raises(PackError, match="deep"):
        get(name, types=[endless]).pack([Basket()])


@every_packer
def test_what_decode_raises_is_an_unpack_error(name: str) -> None:
    wire = get(name).pack([TaggedValue("app/money", 5)])
    with pytest.raises(UnpackError, match="'app/money': TypeError"):
        get(name, types=[MONEY]).unpack(wire)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"type": str}, "written as it is"),
        ({"type": object}, "written as it is"),
        ({"tag": None}, "without a tag"),
        ({"tag": "money"}, "with a slash"),
        ({"tag": "n"}, "with a slash"),
        ({"tag": "~a/b"}, "a name like"),
        ({"tag": ""}, "a name like"),
    ],
)
def test_a_handler_that_makes_no_sense(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        TypeHandler(**{"tag": "app/x", "type": Basket, "encode": repr, "decode": Basket, **options})


@pytest.mark.parametrize(
    "other", [dataclasses.replace(BASKET, tag="app/money"), dataclasses.replace(MONEY, tag="app/cash")]
)
def test_two_handlers_for_one_thing(other: Any) -> None:
    with pytest.raises(ConfigError, match="two handlers"):
        get("msgpack", types=[MONEY, other])


def test_a_type_is_no_handler() -> None:
    types: list[Any] = [MONEY, Money]
    with pytest.raises(ConfigError, match="give a TypeHandler for each of your types, not <class"):
        get("json", types=types)


def test_two_handlers_without_a_tag_are_none_for_one_thing() -> None:
    types = [TypeHandler(tag=None, type=kind, encode=repr) for kind in (Basket, Money)]
    assert (
        get("json", types=types).pack([Money("EUR", Decimal(1))]) == "[\"Money(currency='EUR', amount=Decimal('1'))\"]"
    )


class Bill(BaseModel):
    total: Annotated[Money, MONEY]


def test_in_a_pydantic_model() -> None:
    money = Money("EUR", Decimal(5))
    assert Bill(total=money).total is money
    assert Bill.model_validate({"total": ["EUR", 5]}).total == money
    assert Bill.model_validate_json('{"total":["EUR","5"]}').total == money
    assert Bill(total=money).model_dump() == {"total": {"currency": "EUR", "amount": Decimal(5)}}  # as pydantic does
    assert get("json", types=[MONEY]).pack(Bill(total=money)) == '{"total":["EUR","5"]}'
    assert Bill(total=money).model_dump_json() == '{"total":["EUR","5"]}'
    with pytest.raises(ValidationError, match="this is no Money"):
        Bill.model_validate({"total": 5})

    class Draft(BaseModel):
        total: Annotated[Money, dataclasses.replace(MONEY, decode=None)]

    with pytest.raises(ValidationError, match="has no decode"):
        Draft.model_validate({"total": 5})


def test_types_made_without_end_are_not_remembered() -> None:
    packer = get("transit")
    for number in range(1100):
        packer.pack([type(f"S{number}", (str,), {})("x")])
    assert len(packer._types._known) <= 1000  # type: ignore[attr-defined]
