"""A small real window for the driver's tests; started as its own program, like the client itself."""

from __future__ import annotations

import sys

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QDialog,
    QFormLayout,
    QInputDialog,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QScrollArea,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from client.driver.server import DriverServer, take_pipe


class Window(QWidget):
    """One of each thing that the driver handles."""

    def __init__(self) -> None:
        super().__init__()
        self.setWindowTitle("试验窗口")
        self.name = QLineEdit()
        self.name.returnPressed.connect(self._greet)
        self.secret = QLineEdit()
        self.secret.setEchoMode(QLineEdit.EchoMode.Password)
        self.agree = QCheckBox("同意(&A)")
        self.agree.setMinimumWidth(400)
        self.kind = QComboBox()
        self.kind.addItems(["承诺件", "即办件"])
        self.said = QLabel()
        self.said.setAccessibleName("回答")
        self.ask = QPushButton("询问\tF4")
        self.ask.clicked.connect(self._ask)
        self.late = QPushButton("稍后")
        self.late.setEnabled(False)
        self.late.clicked.connect(self._greet)
        self.more = QPushButton("更多")
        menu = QMenu(self.more)
        menu.addAction("清空(&C)").triggered.connect(self.name.clear)
        self.more.setMenu(menu)
        self.table = QTableWidget(40, 2)
        self.table.setAccessibleName("办件列表")
        self.table.setHorizontalHeaderLabels(["编号", "事项"])
        for row in range(40):
            self.table.setItem(row, 0, QTableWidgetItem(f"A{row:03}"))
            self.table.setItem(row, 1, QTableWidgetItem("居住登记"))
        self.table.setFixedHeight(150)
        self.table.cellClicked.connect(self._chosen)
        find = QShortcut(QKeySequence("Ctrl+K"), self)
        find.activated.connect(self._find)
        self.below = QPushButton("底部")
        self.below.clicked.connect(self._greet)
        self.twins = [QPushButton("同名"), QPushButton("同名")]
        form = QFormLayout()
        form.addRow("姓名(&N)", self.name)
        form.addRow("密码", self.secret)
        form.addRow("种类", self.kind)
        tabs = QTabWidget()
        tabs.addTab(QLabel("第一页"), "内容")
        tabs.addTab(QLabel("第二页"), "材料")
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.addLayout(form)
        for widget in (self.agree, self.ask, self.late, self.more, self.said, tabs, self.table, *self.twins):
            column.addWidget(widget)
        column.addSpacing(800)
        column.addWidget(self.below)
        area = QScrollArea()
        area.setWidget(inside)
        area.setWidgetResizable(True)
        QVBoxLayout(self).addWidget(area)
        self.resize(560, 640)
        QTimer.singleShot(300, self, self._allow)

    @Slot()
    def _allow(self) -> None:
        self.late.setEnabled(True)

    @Slot()
    def _greet(self) -> None:
        sender = self.sender()
        self.said.setText(f"你好，{self.name.text()}" + ("!" if sender is self.below else ""))

    @Slot()
    def _find(self) -> None:
        dialog = QDialog(self)
        edit = QLineEdit()
        edit.setAccessibleName("搜索")
        edit.textChanged.connect(self.said.setText)
        QVBoxLayout(dialog).addWidget(edit)
        dialog.open()

    @Slot(int, int)
    def _chosen(self, row: int, _column: int) -> None:
        item = self.table.item(row, 0)
        assert item is not None
        self.said.setText(item.text())

    @Slot()
    def _ask(self) -> None:
        text, ok = QInputDialog.getText(self, "询问", "理由")
        self.said.setText(text if ok else "取消")


def main() -> int:
    """Run until the window is closed."""
    assert "--driver" in sys.argv
    pipe = take_pipe()
    print("noise on standard output")  # noqa: T201
    app = QApplication(sys.argv[:1])
    app.setAttribute(Qt.ApplicationAttribute.AA_DontUseNativeDialogs)
    driver = DriverServer(*pipe)
    window = Window()
    window.show()
    window.activateWindow()
    driver.start()
    return app.exec()


if __name__ == "__main__":
    raise SystemExit(main())
