"""The yardstick: an empty main window with the product's font, painted, and away."""

import json
import sys

from PySide6.QtGui import QFont, QFontDatabase
from PySide6.QtWidgets import QApplication, QMainWindow

app = QApplication([])
family = QFontDatabase.applicationFontFamilies(QFontDatabase.addApplicationFont(sys.argv[1]))[0]
app.setFont(QFont(family, 10))
window = QMainWindow()
window.resize(1280, 800)
window.setWindowTitle("受理")
window.show()
window.grab()
app.processEvents()
sys.stdout.write(json.dumps({}) + "\n")
