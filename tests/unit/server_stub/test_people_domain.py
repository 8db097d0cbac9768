from __future__ import annotations

import pytest

from modules.people.domain import NewPerson, faults


@pytest.mark.parametrize(
    ("person", "wrong"),
    [
        (NewPerson("zhangsan", "张三"), set()),
        (NewPerson("li.si-2", "阿依古丽·买买提"), set()),
        (NewPerson("zs", "张三"), {"login"}),
        (NewPerson("Zhangsan", "张三"), {"login"}),
        (NewPerson("张三三三", "张三"), {"login"}),
        (NewPerson("zhangsan", "  "), {"name"}),
        (NewPerson("zhangsan", "张\n三"), {"name"}),
        (NewPerson("1x", "字" * 51), {"login", "name"}),
    ],
)
def test_a_new_person(person: NewPerson, wrong: set[str]) -> None:
    assert set(faults(person)) == wrong
