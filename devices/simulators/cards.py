"""Training cards (训练卡): invented people with well-formed numbers, for simulators, tours and lessons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from devices.ports import IdentityRecord
from modules.common.text import tr


@dataclass(frozen=True, slots=True)
class TrainingCard:
    """A card of the box. ``about`` says what it is good for."""

    key: str
    about: str
    record: IdentityRecord

    @property
    def label(self) -> str:
        """What a person reads on the box: 训练卡, the name and the card's point."""
        return tr("训练卡 {name}:{about}", name=self.record.name, about=self.about)


_ISSUER = "示范市公安局（训练卡）"

CARDS = {
    card.key: card
    for card in (
        TrainingCard(
            "zhangsan",
            "居民身份证",
            IdentityRecord(
                kind="resident",
                name="张三",
                id_number="341103199005120015",
                sex="男",
                birth=date(1990, 5, 12),
                nation="汉",
                address="安徽省滁州市琅琊区训练路1号",
                issuer=_ISSUER,
                valid_from=date(2016, 3, 1),
                valid_to=date(2036, 3, 1),
            ),
        ),
        TrainingCard(
            "fanli",
            "长期有效",
            IdentityRecord(
                kind="resident",
                name="范例",
                id_number="530102195809230025",
                sex="女",
                birth=date(1958, 9, 23),
                nation="回",
                address="云南省昆明市五华区训练街2号",
                issuer=_ISSUER,
                valid_from=date(2008, 6, 12),
                valid_to=None,
            ),
        ),
        TrainingCard(
            "rare",
            "生僻字姓名",
            IdentityRecord(
                kind="resident",
                name="贾𬭎䶮",
                id_number="341103198803170039",
                sex="男",
                birth=date(1988, 3, 17),
                nation="汉",
                address="安徽省滁州市琅琊区训练路3号",
                issuer=_ISSUER,
                valid_from=date(2014, 8, 20),
                valid_to=date(2034, 8, 20),
            ),
        ),
        TrainingCard(
            "long",
            "少数民族长姓名",
            IdentityRecord(
                kind="resident",
                name="阿卜杜热合曼·示范江·训练",
                id_number="650102199507080055",
                sex="男",
                birth=date(1995, 7, 8),
                nation="维吾尔",
                address="新疆维吾尔自治区乌鲁木齐市天山区训练路4号",
                issuer=_ISSUER,
                valid_from=date(2018, 1, 15),
                valid_to=date(2038, 1, 15),
            ),
        ),
        TrainingCard(
            "expired",
            "已过有效期",
            IdentityRecord(
                kind="resident",
                name="甄过期",
                id_number="110105200102140047",
                sex="女",
                birth=date(2001, 2, 14),
                nation="汉",
                address="北京市朝阳区训练路5号",
                issuer=_ISSUER,
                valid_from=date(2015, 2, 14),
                valid_to=date(2020, 2, 14),
            ),
        ),
        TrainingCard(
            "hmt",
            "港澳台居民居住证",
            IdentityRecord(
                kind="hmt",
                name="甄港生",
                id_number="810000199106060012",
                sex="男",
                birth=date(1991, 6, 6),
                address="安徽省滁州市琅琊区训练路6号",
                issuer=_ISSUER,
                valid_from=date(2023, 4, 10),
                valid_to=date(2028, 4, 10),
                pass_number="H00000000",  # noqa: S106 - a travel permit's number
            ),
        ),
        TrainingCard(
            "foreigner",
            "外国人永久居留身份证（五星卡）",
            IdentityRecord(
                kind="foreigner2023",
                name="史密斯",
                id_number="934840198501010016",
                sex="男",
                birth=date(1985, 1, 1),
                valid_from=date(2024, 1, 8),
                valid_to=date(2034, 1, 7),
                english_name="SMITH, TRAINING CARD EXAMPLE OF LENGTH",
                nationality="USA",
            ),
        ),
    )
}
