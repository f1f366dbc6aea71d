"""Tools that log, warn and print."""

import logging
import sys
import warnings

from snakepit_bridge import BaseAdapter, tool

LOG = logging.getLogger("words")
warnings.warn("at the import", UserWarning, stacklevel=1)


class Plain(BaseAdapter):
    """Has set nothing up."""

    @tool
    def log(self):
        LOG.info("of no interest")
        LOG.warning("be careful")
        try:
            raise KeyError("lost")
        except KeyError:
            LOG.exception("it went wrong")
        print("begun", end="", file=sys.stderr, flush=True)
        logging.error("by the root")
        print("printed")

    @tool
    def name_a_price(self):
        print("10 €")

    @tool
    def warn(self):
        warnings.warn("do not do this", DeprecationWarning, stacklevel=1)
        warnings.warn("nor this", UserWarning, stacklevel=1)


class Configured(Plain):
    """Has set it up as any program does."""

    def __init__(self):
        logging.basicConfig(level=logging.DEBUG, format="%(name)s|%(message)s")
        logging.captureWarnings(True)

    @tool
    def levels(self):
        for number in (5, 10, 20, 30, 40, 50):
            LOG.log(number, "level %d", number)
        return len(logging.getLogger().handlers)
