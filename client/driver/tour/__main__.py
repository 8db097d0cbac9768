"""``python -m client.driver.tour``."""

import sys

from client.driver.tour import main

sys.exit(main())
