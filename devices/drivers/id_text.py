"""The 256 bytes of text on an identity card, to ``IdentityRecord`` and back.

UTF-16LE, padded with spaces; four layouts, told apart by the character at offset 248: blank 居民身份证,
J 港澳台居民居住证 (2018), I 外国人永久居留身份证 (2017), Y 外国人永久居留身份证 (2023).
Nations are GB/T 3304, sexes GB/T 2261.1. A name is kept as it was read, rare characters included:
those outside the first plane are surrogate pairs, those not yet in Unicode are in the private use area.
"""

from __future__ import annotations

from datetime import date

from devices.drivers.sdt_frames import TEXT_SIZE
from devices.ports import DeviceError, IdentityRecord
from modules.common.text import tr

_NATION_LIST = """
    汉 蒙古 回 藏 维吾尔 苗 彝 壮 布依 朝鲜 满 侗 瑶 白 土家 哈尼 哈萨克 傣 黎 傈僳 佤 畲 高山 拉祜 水 东乡 纳西 景颇
    柯尔克孜 土 达斡尔 仫佬 羌 布朗 撒拉 毛南 仡佬 锡伯 阿昌 普米 塔吉克 怒 乌孜别克 俄罗斯 鄂温克 德昂 保安 裕固 京
    塔塔尔 独龙 鄂伦春 赫哲 门巴 珞巴 基诺
"""
NATIONS = dict(enumerate(_NATION_LIST.split(), start=1)) | {81: "穿青人", 97: "其他", 98: "外国血统中国籍人士"}
SEXES = {"0": "未知", "1": "男", "2": "女", "9": "未说明"}
LONG_TERM = "长期"

_RESIDENT = {
    "name": 30,
    "sex": 2,
    "nation": 4,
    "birth": 16,
    "address": 70,
    "id": 36,
    "issuer": 30,
    "from": 16,
    "to": 16,
}
_HMT = {
    "name": 30, "sex": 2, "-1": 4, "birth": 16, "address": 70, "id": 36, "issuer": 30, "from": 16, "to": 16,
    "pass": 18, "count": 4, "-2": 6, "type": 2,
}  # fmt: skip
_FOREIGNER_2017 = {
    "english": 120, "sex": 2, "id": 30, "nationality": 6, "name": 30, "from": 16, "to": 16, "birth": 16,
    "version": 4, "issuer": 8, "type": 2,
}  # fmt: skip
_FOREIGNER_2023 = {
    "name": 30, "sex": 2, "renewals": 4, "birth": 16, "english": 70, "id": 36, "-1": 30, "from": 16, "to": 16,
    "english2": 22, "nationality": 6, "type": 2,
}  # fmt: skip
_LAYOUTS = {" ": _RESIDENT, "J": _HMT, "I": _FOREIGNER_2017, "Y": _FOREIGNER_2023}
_KINDS = {" ": "resident", "J": "hmt", "I": "foreigner2017", "Y": "foreigner2023"}
_TYPE_AT = 248
_FILLER = " \0"


def decode(text: bytes, photo: bytes = b"") -> IdentityRecord:
    """The record that a card's 256 bytes hold. Raises ``DeviceError`` DEV-104 for what no card may say."""
    if len(text) != TEXT_SIZE:
        raise unreadable(tr("文字信息长度不对"))
    flag = text[_TYPE_AT : _TYPE_AT + 2].decode("utf-16-le", "replace").replace("\0", " ")
    if flag not in _LAYOUTS:
        raise unreadable(tr("不认识的证件类型"))
    raw = _cut(text, _LAYOUTS[flag])
    field = {name: value.rstrip(_FILLER) for name, value in raw.items()}
    # A long English name runs on in a second field, so the first one's spaces count.
    english = (raw.get("english", "") + raw.get("english2", "")).rstrip(_FILLER)
    name = field["name"] or english
    if not name or not field["id"]:
        raise unreadable(tr("姓名或号码为空"))
    if field["sex"] not in SEXES:
        raise unreadable(tr("性别代码不对"))
    return IdentityRecord(
        kind=_KINDS[flag],
        name=name,
        id_number=field["id"],
        sex=SEXES[field["sex"]],
        birth=_date(field["birth"]) if field["birth"] else None,
        nation=_nation(field.get("nation", "")),
        address=field.get("address", ""),
        issuer=field.get("issuer", ""),
        valid_from=_date(field["from"]) if field["from"] else None,
        valid_to=None if field["to"] == LONG_TERM else _date(field["to"]),
        english_name=english,
        nationality=field.get("nationality", ""),
        pass_number=field.get("pass", ""),
        photo=photo,
    )


def encode(record: IdentityRecord) -> bytes:
    """The 256 bytes of a card that says ``record``. Raises ``ValueError`` for what does not fit on one."""
    flag = next(flag for flag, kind in _KINDS.items() if kind == record.kind)
    codes = {name: code for code, name in NATIONS.items()}
    nation = f"{codes[record.nation]:02d}" if record.nation in codes else record.nation
    values = {
        "name": "" if record.name == record.english_name else record.name,
        "sex": next(code for code, name in SEXES.items() if name == record.sex),
        "nation": nation,
        "birth": _digits(record.birth) if record.birth else "",
        "address": record.address,
        "id": record.id_number,
        "issuer": record.issuer,
        "from": _digits(record.valid_from) if record.valid_from else "",
        "to": _digits(record.valid_to) if record.valid_to else LONG_TERM,
        "pass": record.pass_number,
        "count": "01",
        "version": "01",
        "renewals": "00",
        "english": record.english_name,
        "nationality": record.nationality,
        "type": flag,
    }
    if record.kind == "foreigner2023":
        values["english"], values["english2"] = record.english_name[:35], record.english_name[35:]
    text = b"".join(_fill(name, values.get(name, ""), size) for name, size in _LAYOUTS[flag].items())
    return text + _fill("rest", "", TEXT_SIZE - len(text))


def _cut(text: bytes, layout: dict[str, int]) -> dict[str, str]:
    fields, at = {}, 0
    for name, size in layout.items():
        try:
            fields[name] = text[at : at + size].decode("utf-16-le")
        except UnicodeDecodeError:
            # `from None`: the cause would carry the card's text into a log.
            raise unreadable(tr("文字编码不对")) from None
        at += size
    return fields


def _fill(name: str, value: str, size: int) -> bytes:
    data = value.encode("utf-16-le")
    if len(data) > size:
        raise ValueError(f"{name} is longer than {size // 2} characters")
    return data + b" \0" * ((size - len(data)) // 2)


def _nation(code: str) -> str:
    """The nation's name, or the code itself where the list has none."""
    return NATIONS.get(int(code), code) if code.isascii() and code.isdigit() else code


def _date(digits: str) -> date:
    if not (len(digits) == 8 and digits.isascii() and digits.isdigit()):
        raise unreadable(tr("日期不是八位数字"))
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        raise unreadable(tr("日期不存在")) from None


def _digits(day: date) -> str:
    return day.isoformat().replace("-", "")


def unreadable(why: str) -> DeviceError:
    return DeviceError(
        "DEV-104",
        tr("证件读不出来：{why}。", why=why),
        fix=tr("请拿起证件重放一次；仍然不行时请核对证件并手工录入。"),
    )
