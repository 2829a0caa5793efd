"""python paper.py: a minute of paper trading against a simulated broker, from a fresh clone, with one command.

Further arguments go to `arb run`: python paper.py --scenario busy --duration 5m
"""

import sys

from environment import environment_python, run

MINUTE = ("--mode", "paper", "--seed", "7", "--clock", "09:00:25", "--duration", "60s", "--arm", "--headless")

if __name__ == "__main__":
    sys.exit(run(environment_python("run.txt"), "-m", "supervision", "run", *MINUTE, *sys.argv[1:]))
