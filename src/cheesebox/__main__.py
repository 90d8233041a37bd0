"""``python -m cheesebox``."""

import sys

from cheesebox.cli.main import main

sys.exit(main())
