"""python -m supervision: the command line `arb`.

A spawned actor process imports the main module of its ancestor again; so this one imports nothing until it is called.
"""


def main() -> None:
    from supervision.launcher import main as launch

    launch()


if __name__ == "__main__":
    main()
