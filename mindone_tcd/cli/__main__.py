"""``python -m mindone_tcd.cli`` is the command ``mindone-tcd``."""

import sys

from . import main

sys.exit(main())
