"""A command line with two options, from typer's first example."""

import typer


def main(name: str, count: int = 1) -> None:
    for _ in range(count):
        typer.echo(f"Hello {name}")


if __name__ == "__main__":
    typer.run(main)
